//! The peers, each written the way its own authors would.

pub mod hand_written_loop;
pub mod renoir_word_count;
pub mod timely_shuffle;

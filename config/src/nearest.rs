//! The known name nearest to a mistyped one.

/// The name among `known` that the user most likely meant, if any is near.
///
/// A name that `wanted` is the tail of (`checkpointing.interval`) is nearest; then the smallest
/// edit distance, up to a third of the length; of equals, the first.
pub fn nearest<'a>(wanted: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let most = (wanted.chars().count() / 3).max(2);
    known
        .into_iter()
        .map(|name| {
            let is_tail = name.strip_suffix(wanted).is_some_and(|head| head.ends_with('.'));
            (if is_tail { 0 } else { distance(wanted, name) }, name)
        })
        .filter(|(distance, _)| *distance <= most)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

/// The edit distance of two texts, without regard to case.
fn distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.to_lowercase().chars().collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (above, left) in left.to_lowercase().chars().enumerate() {
        let mut diagonal = above;
        row[0] = above + 1;
        for (index, right) in right.iter().enumerate() {
            let replaced = diagonal + usize::from(left != *right);
            diagonal = row[index + 1];
            row[index + 1] = replaced.min(row[index] + 1).min(diagonal + 1);
        }
    }
    row[right.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distance_counts_edits() {
        for (left, right, expect) in [
            ("", "", 0),
            ("", "abc", 3),
            ("kitten", "sitting", 3),
            ("flaw", "lawn", 2),
            ("Same", "sAME", 0),
        ] {
            assert_eq!(distance(left, right), expect, "{left} {right}");
            assert_eq!(distance(right, left), expect, "{right} {left}");
        }
    }

    #[test]
    fn nearest_name_is_a_tail_or_a_few_edits_away() {
        let known = ["parallelism.default", "execution.checkpointing.interval", "rest.port"];
        for (wanted, expect) in [
            ("paralelism.default", Some("parallelism.default")),
            ("checkpointing.interval", Some("execution.checkpointing.interval")),
            ("default", Some("parallelism.default")),
            ("something.else.entirely", None),
        ] {
            assert_eq!(nearest(wanted, known), expect, "{wanted}");
        }
    }
}

//! Files to lines: splits at every place, restores at every line, and files that are not as they
//! should be.

use super::super::test_reader::{drain, read_all, reader_of};
use super::*;
use flate2::{Compression as Level, write::GzEncoder};
use std::{fs, io::Write, path::Path};
use tempfile::TempDir;
use weir_base::FailureOrigin;
use weir_dataflow::Error;

fn file_with(name: &str, bytes: impl AsRef<[u8]>) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    fs::write(&path, bytes).unwrap();
    (folder, path)
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Level::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn lines_of(source: &TextFileSource) -> Result<Vec<String>> {
    let lines = read_all(source, 1)?.concat();
    Ok(lines.into_iter().map(String::from).collect())
}

fn error_of(source: &TextFileSource) -> Error {
    lines_of(source).unwrap_err()
}

#[test]
fn lines_lose_their_line_ends_and_nothing_else() {
    let cases: &[(&str, &[&str])] = &[
        ("", &[]),
        ("a", &["a"]),
        ("a\n", &["a"]),
        ("\n", &[""]),
        ("a\n\nb", &["a", "", "b"]),
        ("a\r\nb\r\n", &["a", "b"]),
        ("\r\n", &[""]),
        ("a\r", &["a"]),
        ("a\rb\r\r\n", &["a\rb\r"]),
        ("é ß\n水\u{1f980}", &["é ß", "水\u{1f980}"]),
    ];
    for (content, expected) in cases {
        let (_folder, path) = file_with("in.txt", content);
        assert_eq!(lines_of(&TextFileSource::new(&path)).unwrap(), *expected, "{content:?}");
        fs::write(path.with_extension("gz"), gzip(content.as_bytes())).unwrap();
        let source = TextFileSource::new(path.with_extension("gz"));
        assert_eq!(lines_of(&source).unwrap(), *expected, "gzip {content:?}");
    }
}

#[test]
fn a_line_is_read_once_wherever_the_file_is_cut() {
    for content in ["one\ntwo\n\n\nfive is longer than a piece\nsix\r\n", "\n\n\n", "long", "a\nb"]
    {
        let (_folder, path) = file_with("in.txt", content);
        let expected: Vec<Text> = content.lines().map(Text::from).collect();
        for split_size_bytes in 1..=content.len() as u64 {
            for parallelism in [1, 2, 3] {
                let source = TextFileSource::new(&path).split_size_bytes(split_size_bytes);
                let mut read = read_all(&source, parallelism).unwrap().concat();
                let mut expected = expected.clone();
                if parallelism > 1 {
                    read.sort();
                    expected.sort();
                }
                assert_eq!(read, expected, "{content:?} by {split_size_bytes}, {parallelism}");
            }
        }
    }
}

/// Lines of many lengths, some longer than a block.
fn many_lines() -> (String, Vec<Text>) {
    let length = |i: usize| if i % 997 == 5 { 400_000 } else { i * 7919 % 150 };
    let lines: Vec<String> =
        (0..6000).map(|i| format!("{i} é {}", "x".repeat(length(i)))).collect();
    (lines.join("\n"), lines.iter().map(|line| Text::from(line.as_str())).collect())
}

#[test]
fn two_readers_read_all_lines_of_a_large_file_in_pieces() {
    let (content, expected) = many_lines();
    let (folder, path) = file_with("in.txt", &content);
    fs::write(folder.path().join("more.txt"), "more\n").unwrap();
    let source = TextFileSource::new(folder.path()).split_size_bytes(300_000);
    let dealt = source.enumerate(2).unwrap();
    let bytes = |splits: &[TextFileSplit]| splits.iter().map(|s| s.end - s.start).sum::<u64>();
    assert!(bytes(&dealt[0]).abs_diff(bytes(&dealt[1])) <= 6, "{dealt:?}");
    let mut read = read_all(&source, 2).unwrap().concat();
    read.sort();
    let mut expected = [expected, vec![Text::from("more")]].concat();
    expected.sort();
    assert_eq!(read, expected);
    drop(path);
}

#[test]
fn a_poll_keeps_to_its_budget_of_records_and_bytes() {
    let (_folder, path) = file_with("in.txt", "x\n".repeat(50) + &"y".repeat(200_000).repeat(4));
    let source = TextFileSource::new(&path);
    let mut reader = reader_of(&source, source.enumerate(1).unwrap().remove(0)).unwrap();
    let mut out = Collector::new();
    assert_eq!(reader.poll_batch(30, &mut out).unwrap(), SourcePoll::More);
    assert_eq!(out.take().len(), 30);

    let line = "z".repeat(100_000) + "\n";
    let (_folder, path) = file_with("in.txt", line.repeat(10));
    let source = TextFileSource::new(&path);
    let mut reader = reader_of(&source, source.enumerate(1).unwrap().remove(0)).unwrap();
    assert_eq!(reader.poll_batch(1024, &mut out).unwrap(), SourcePoll::More);
    assert_eq!(out.take().len(), 3);
}

#[test]
fn restored_reader_goes_on_behind_the_last_line_wherever_it_stopped() {
    let content = "zero\n\nzwei ß\r\nthree\nfour\nfive\n\n\neight";
    for (name, bytes) in
        [("in.txt", content.as_bytes().to_vec()), ("in.gz", gzip(content.as_bytes()))]
    {
        let (_folder, path) = file_with(name, bytes);
        let source = TextFileSource::new(&path).split_size_bytes(9);
        let all = read_all(&source, 1).unwrap().remove(0);
        assert_eq!(all.len(), 9);
        for stop_after in 0..=all.len() {
            let splits = source.enumerate(1).unwrap().remove(0);
            let mut reader = reader_of(&source, splits).unwrap();
            let mut out = Collector::new();
            while out.len() < stop_after {
                reader.poll_batch(1, &mut out).unwrap();
            }
            let encoded = codec::encode(&reader.splits().unwrap()).unwrap();
            let mut restored = reader_of(&source, codec::decode(&encoded).unwrap()).unwrap();
            let rest = drain::<TextFileSource>(&mut restored, 2).unwrap();
            assert_eq!([out.take(), rest].concat(), all, "{name} after {stop_after}");
        }
    }
}

#[test]
fn gzip_members_follow_one_another_and_names_are_any_bytes() {
    use std::{ffi::OsStr, os::unix::ffi::OsStrExt};
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(OsStr::from_bytes(b"odd\xff.gz"));
    fs::write(path, [gzip(b"one\ntw"), gzip(b""), gzip(b"o\nthree")].concat()).unwrap();
    let source = TextFileSource::new(folder.path());
    let splits = source.enumerate(1).unwrap().remove(0);
    let encoded = codec::encode(&splits).unwrap();
    assert_eq!(codec::decode::<Vec<TextFileSplit>>(&encoded).unwrap(), splits);
    assert_eq!(lines_of(&source).unwrap(), ["one", "two", "three"]);
}

#[test]
fn damaged_gzip_is_an_error_that_says_where() {
    let text: String = (0..20_000).map(|i| format!("line {i}\n")).collect();
    let whole = gzip(text.as_bytes());
    let mut flipped = whole.clone();
    flipped[whole.len() / 2] ^= 0xff;
    let mut wrong_checksum = whole.clone();
    wrong_checksum[whole.len() - 6] ^= 1;
    let trailing = [whole.clone(), b"garbage after the end".to_vec()].concat();
    let cases: &[(&str, &[u8])] = &[
        ("half", &whole[..whole.len() / 2]),
        ("no trailer", &whole[..whole.len() - 8]),
        ("header only", &whole[..5]),
        ("empty", b""),
        ("flipped", &flipped),
        ("checksum", &wrong_checksum),
        ("no gzip", b"just some text\n"),
        ("trailing", &trailing),
    ];
    for (name, bytes) in cases {
        let (_folder, path) = file_with("in.gz", bytes);
        let error = error_of(&TextFileSource::new(&path));
        let message = error.to_string();
        assert_eq!(
            (error.code(), error.origin()),
            ("WEIR-SRC-0003", FailureOrigin::Permanent),
            "{name}"
        );
        assert!(message.contains(path.to_str().unwrap()), "{message}");
        assert!(message.contains(" compressed byte ") && message.contains("uncompressed byte "));
    }
}

#[test]
fn bad_utf8_is_an_error_that_names_file_and_byte_or_is_replaced() {
    // The bad byte lies behind the first block, and behind good lines in its own.
    let good = "0123456789abcde\n".repeat(20_000);
    let content = [good.as_bytes(), b"ok\nbad \xff\xfe byte\r\nok\n\xe6\xb0"].concat();
    let offset = good.len() + 7;
    for (name, bytes, unit) in
        [("in.txt", content.clone(), " byte"), ("in.gz", gzip(&content), "uncompressed byte")]
    {
        let (_folder, path) = file_with(name, bytes);
        let error = error_of(&TextFileSource::new(&path));
        assert_eq!((error.code(), error.origin()), ("WEIR-SRC-0004", FailureOrigin::Permanent));
        let place = format!("{unit} {offset}:");
        assert!(error.to_string().contains(&place), "{error}");
        assert!(error.to_string().contains("lossy_utf8()"), "{error}");

        let source = TextFileSource::new(&path).lossy_utf8();
        let lines = lines_of(&source).unwrap();
        assert_eq!(lines[20_000..], ["ok", "bad \u{fffd}\u{fffd} byte", "ok", "\u{fffd}"]);
        let mut reader = reader_of(&source, source.enumerate(1).unwrap().remove(0)).unwrap();
        let mut out = Collector::new();
        while out.len() < 20_002 {
            reader.poll_batch(1000.min(20_002 - out.len()), &mut out).unwrap();
        }
        let mut restored = reader_of(&source, reader.splits().unwrap()).unwrap();
        let rest = drain::<TextFileSource>(&mut restored, 9).unwrap();
        assert_eq!(rest, [Text::from("ok"), Text::from("\u{fffd}")], "positions count file bytes");
    }
}

#[test]
fn a_file_that_shrank_is_an_error() {
    for compress in [false, true] {
        let encode = |text: &str| if compress { gzip(text.as_bytes()) } else { text.into() };
        let (_folder, path) = file_with(if compress { "in.gz" } else { "in" }, encode("a\nb\nc\n"));
        let source = TextFileSource::new(&path);
        let mut reader = reader_of(&source, source.enumerate(1).unwrap().remove(0)).unwrap();
        reader.poll_batch(2, &mut Collector::new()).unwrap();
        let splits = reader.splits().unwrap();
        fs::write(&path, encode("a\n")).unwrap();
        let mut restored = reader_of(&source, splits).unwrap();
        let error = drain::<TextFileSource>(&mut restored, 9).unwrap_err();
        assert_eq!((error.code(), error.origin()), ("WEIR-SRC-0005", FailureOrigin::Permanent));
    }
}

#[test]
fn a_piece_that_is_gone_before_it_was_begun_is_an_error() {
    let (_folder, path) = file_with("in", "a\nb\nc\nd\n");
    let source = TextFileSource::new(&path).split_size_bytes(4);
    let second = source.enumerate(2).unwrap().remove(1);
    fs::write(&path, "a\n").unwrap();
    let mut reader = reader_of(&source, second).unwrap();
    let error = drain::<TextFileSource>(&mut reader, 9).unwrap_err();
    assert_eq!(error.code(), "WEIR-SRC-0005");
}

#[test]
fn a_file_that_shrinks_while_it_is_read_is_an_error() {
    let (_folder, path) = file_with("in", "x".repeat(99) + "\n");
    let big = ("x".repeat(99) + "\n").repeat(10_000);
    fs::write(&path, &big).unwrap();
    let source = TextFileSource::new(&path);
    let mut reader = reader_of(&source, source.enumerate(1).unwrap().remove(0)).unwrap();
    reader.poll_batch(10, &mut Collector::new()).unwrap();
    fs::write(&path, "short\n").unwrap();
    let error = drain::<TextFileSource>(&mut reader, 1000).unwrap_err();
    assert_eq!(error.code(), "WEIR-SRC-0005");
}

#[test]
fn what_was_appended_after_the_listing_is_left_out() {
    let (_folder, path) = file_with("in", "a\nb");
    let source = TextFileSource::new(&path);
    let splits = source.enumerate(1).unwrap().remove(0);
    fs::write(&path, "a\nb and its end\nc\n").unwrap();
    let read = drain::<TextFileSource>(&mut reader_of(&source, splits).unwrap(), 9).unwrap();
    assert_eq!(read, [Text::from("a"), Text::from("b and its end")]);
}

#[test]
fn a_file_that_is_gone_is_an_error_of_the_outside() {
    let (_folder, path) = file_with("in", "a\n");
    let source = TextFileSource::new(&path);
    let splits = source.enumerate(1).unwrap().remove(0);
    fs::remove_file(&path).unwrap();
    let mut reader = reader_of(&source, splits).unwrap();
    let error = drain::<TextFileSource>(&mut reader, 9).unwrap_err();
    assert_eq!((error.code(), error.origin()), ("WEIR-SRC-0002", FailureOrigin::External));
    assert_eq!(reader.splits().unwrap().len(), 1, "an error loses no split");
}

#[test]
fn an_endless_line_is_an_error_that_names_its_start() {
    let (_folder, path) = file_with("in", "");
    let file = fs::File::create(&path).unwrap();
    (&file).write_all(b"short\n").unwrap();
    file.set_len(6 + (64 << 20)).unwrap();
    assert_eq!(lines_of(&TextFileSource::new(&path)).unwrap()[1].len(), 64 << 20);
    file.set_len(6 + (65 << 20)).unwrap();
    let error = error_of(&TextFileSource::new(&path));
    assert_eq!(error.code(), "WEIR-SRC-0006");
    assert!(error.to_string().contains("byte 6 "), "{error}");
}

#[test]
fn paths_may_be_relative() {
    let source = TextFileSource::new("src/source/text_file/tests.rs");
    let splits = source.enumerate(1).unwrap().remove(0);
    assert!(splits[0].path.is_absolute());
    assert!(Path::new("src/source").exists(), "tests run in the crate's folder");
    let globbed = TextFileSource::new("src/source/text_file/t*s.rs").enumerate(1).unwrap();
    assert_eq!(globbed[0], splits);
}

//! The text around a plan, as Flink's `info` prints it, and JSON set out for reading.
//!
//! The plan is laid out character by character and not parsed into a map, so that its fields keep
//! the order in which the executable wrote them.

const HEAD: &str = "----------------------- Execution Plan -----------------------";

/// The text output of `weir info`.
pub fn framed(plan_json: &str) -> String {
    let rule = "-".repeat(HEAD.len());
    format!("{HEAD}\n{}\n{rule}\n\nNo description provided.\n", pretty(plan_json))
}

/// Sets out JSON with two blanks per level.
pub fn pretty(json: &str) -> String {
    let mut text = String::new();
    let mut depth = 0;
    let mut characters = json.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '"' => {
                text.push(character);
                copy_string(&mut characters, &mut text);
            }
            '{' | '[' => {
                text.push(character);
                skip_blanks(&mut characters);
                match characters.next_if(|next| matches!(next, '}' | ']')) {
                    Some(close) => text.push(close),
                    None => {
                        depth += 1;
                        new_line(&mut text, depth);
                    }
                }
            }
            '}' | ']' => {
                depth = usize::saturating_sub(depth, 1);
                new_line(&mut text, depth);
                text.push(character);
            }
            ',' => {
                text.push(character);
                new_line(&mut text, depth);
            }
            ':' => text.push_str(": "),
            blank if blank.is_ascii_whitespace() => {}
            other => text.push(other),
        }
    }
    text
}

type Characters<'a> = std::iter::Peekable<std::str::Chars<'a>>;

/// Copies the rest of a string with its closing quote.
fn copy_string(characters: &mut Characters<'_>, text: &mut String) {
    while let Some(character) = characters.next() {
        text.push(character);
        match character {
            '\\' => text.extend(characters.next()),
            '"' => return,
            _ => {}
        }
    }
}

fn skip_blanks(characters: &mut Characters<'_>) {
    while characters.next_if(char::is_ascii_whitespace).is_some() {}
}

fn new_line(text: &mut String, depth: usize) {
    text.push('\n');
    text.push_str(&"  ".repeat(depth));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layout_is_that_of_serde_json() {
        for json in [
            r#"{}"#,
            r#"[]"#,
            r#"{"a":[ ],"b":{ }}"#,
            r#"{"nodes":[{"id":1,"type":"Map: {\"x\", [y]}\\"},{"id":-2.5,"on":true,"p":null}]}"#,
            "{ \"a\" :\t1,\n\"b\" : [ [ 1,2 ], \"é\" ] }",
        ] {
            let value: serde_json::Value = serde_json::from_str(json).expect("valid");
            let expect = serde_json::to_string_pretty(&value).expect("a value");
            assert_eq!(pretty(json), expect);
            assert_eq!(pretty(&expect), expect);
        }
    }

    #[test]
    fn fields_keep_their_order() {
        assert_eq!(pretty(r#"{"b":1,"a":2}"#), "{\n  \"b\": 1,\n  \"a\": 2\n}");
    }

    #[test]
    fn frame_is_flinks() {
        let text = framed("{}");
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines[0].len(), 62);
        assert_eq!(lines[1..], ["{}", &"-".repeat(62), "", "No description provided."]);
    }
}

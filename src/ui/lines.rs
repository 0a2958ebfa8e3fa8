//! Breaking lines between words, so that a terminal breaks none inside a word, a port or a command.

/// The pieces between which a line may be broken. A command in backticks stays in one piece, if there is room.
fn words(text: &str, width: usize) -> Vec<&str> {
    let mut quoted = false;
    let pieces = text.split(|c| {
        quoted ^= c == '`';
        c == ' ' && !quoted
    });
    let has_room = |piece: &&str| console::measure_text_width(piece) <= width;
    pieces.flat_map(|piece| if has_room(&piece) { vec![piece] } else { piece.split(' ').collect() }).collect()
}

/// Returns the text in lines of that width, broken between words; a longer word has a line of its own.
pub(super) fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in words(text, width) {
        let Some(line) = lines.last_mut() else { break };
        let used = console::measure_text_width(line);
        if used == 0 {
            line.push_str(word);
        } else if used + 1 + console::measure_text_width(word) <= width {
            line.push(' ');
            line.push_str(word);
        } else {
            lines.push(word.to_owned());
        }
    }
    lines
}

/// Returns a text whose lines have that width, as far as its words allow. An indented line stays indented, and its
/// further lines also begin with `further`.
pub(super) fn in_lines(text: &str, width: usize, further: &str) -> String {
    let line = |line: &str| {
        if console::measure_text_width(line) <= width {
            return line.to_owned();
        }
        let words = line.trim_start_matches(' ');
        let indent = &line[..line.len() - words.len()];
        let lines = wrapped(words, width.saturating_sub(indent.len() + further.len()));
        format!("{indent}{}", lines.join(&format!("\n{indent}{further}")))
    };
    text.split('\n').map(line).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_broken_between_words_and_never_inside_a_command() {
        let text = "  at 127.0.0.1:31698 is data `devenv up --fresh db` made\nshort\n";
        let broken = "  at 127.0.0.1:31698 is\n    data\n    `devenv up --fresh db`\n    made\nshort\n";
        assert_eq!(in_lines(text, 26, "  "), broken);
        assert_eq!(in_lines(text, 80, "  "), text);
        assert_eq!(in_lines("a-word-that-is-wider `and a command`", 9, ""), "a-word-that-is-wider\n`and a\ncommand`");
    }
}

//! The two marker lines around the part of `.env` that is ours.
//!
//! Here, and not in `dotenv/`, because readers of manifests must skip the block too: Compose reads `.env`.

/// First line of the managed block.
pub const BLOCK_START: &str = "# >>> devenv: written by `devenv up`, do not edit between these lines >>>";
/// Last line of the managed block.
pub const BLOCK_END: &str = "# <<< devenv <<<";

/// The text without the managed block; its lines are emptied, not removed, so that line numbers hold.
/// An unclosed block reaches to the end of the text.
pub fn without_managed_block(text: &str) -> String {
    let mut inside = false;
    let mut kept = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        let content = line.trim_start_matches('\u{feff}').trim_end();
        inside |= content == BLOCK_START;
        if inside {
            kept.push_str(if line.ends_with('\n') { "\n" } else { "" });
        } else {
            kept.push_str(line);
        }
        inside &= content != BLOCK_END;
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_block_goes_and_line_numbers_stay() {
        let text = format!("A=1\r\n{BLOCK_START}\nB=2\n{BLOCK_END}\nC=3\n");
        assert_eq!(without_managed_block(&text), "A=1\r\n\n\n\nC=3\n");
    }

    #[test]
    fn an_unclosed_block_reaches_to_the_end() {
        assert_eq!(without_managed_block(&format!("A=1\n{BLOCK_START}\nB=2")), "A=1\n\n");
    }
}

//! Words as a POSIX shell reads them.

/// The words of a command as a user would type them.
pub fn shell_words<S: AsRef<str>>(command: &[S]) -> String {
    if let [shell, option, line] = command
        && shell.as_ref() == "sh"
        && option.as_ref() == "-c"
    {
        return line.as_ref().to_owned();
    }
    command.iter().map(|word| shell_word(word.as_ref())).collect::<Vec<_>>().join(" ")
}

/// One word, in quotes if they are needed.
pub fn shell_word(word: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || "/._-+@%=:,".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_that_a_shell_would_split_are_quoted_and_a_line_for_a_shell_is_shown_as_it_is() {
        assert_eq!(shell_words(&["sh", "a b", "it's", ""]), r"sh 'a b' 'it'\''s' ''");
        assert_eq!(shell_words(&["sh", "-c", "echo a; echo b"]), "echo a; echo b");
    }
}

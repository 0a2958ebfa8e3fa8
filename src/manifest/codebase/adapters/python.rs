//! The part of Python that settings need: which literal is assigned to a name, and under which condition.
//!
//! Nothing is evaluated. A value that is no literal is returned as an expression, so that no caller takes a guess for
//! a value.

/// One word, string or sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Token<'t> {
    /// A name or keyword.
    Name(&'t str),
    /// The content of a string, as written between its quotes; a slice of the file.
    Text(&'t str),
    /// Anything else: signs, numbers, and strings with a prefix that changes their meaning.
    Other(&'t str),
}

/// One logical line. A bracket or a string that spans several lines joins them into one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line<'t> {
    /// How far it is indented, in characters.
    pub(super) indent: usize,
    /// Its tokens, without comments.
    pub(super) tokens: Vec<Token<'t>>,
}

/// The value that is assigned to a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value<'t> {
    /// A string.
    Text(&'t str),
    /// A single name: `True`.
    Word(&'t str),
    /// A dictionary. An entry whose key is no string has an empty key here.
    Dict(Vec<(&'t str, Value<'t>)>),
    /// An expression.
    Expression,
}

/// When a line is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum When<'t> {
    /// Always.
    Always,
    /// If `DEBUG` is true.
    Debug,
    /// If `DEBUG` is false.
    NotDebug,
    /// If the settings come from a class.
    Class(&'t str),
    /// If another condition holds, which is not evaluated here.
    Unsure,
}

/// One statement that assigns a value to a name or to a part of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Statement<'t> {
    /// The keys between the name and the value: `default` in `DATABASES['default'] = …`.
    pub(super) keys: Vec<&'t str>,
    /// The value. It is an expression too if the statement changes the name in another way than by an assignment.
    pub(super) value: Value<'t>,
    /// When the statement runs.
    pub(super) when: When<'t>,
}

impl<'t> Statement<'t> {
    /// The value that it assigns to a path of keys below the name; `None` if it does not change that path.
    pub(super) fn at(&self, path: &[&str]) -> Option<&Value<'t>> {
        let rest = path.strip_prefix(self.keys.as_slice())?;
        let mut value = &self.value;
        for key in rest {
            match value {
                Value::Dict(entries) => match entries.iter().rfind(|(name, _)| name == key) {
                    Some((_, found)) => value = found,
                    // A value that is unpacked into the dictionary may have the key.
                    None => return entries.iter().find(|(name, _)| name.is_empty()).map(|(_, unknown)| unknown),
                },
                _ => return Some(&Value::Expression),
            }
        }
        Some(value)
    }
}

/// Every statement that begins with a name and assigns a value to it or to a part of it.
pub(super) fn statements<'t>(lines: &[Line<'t>], name: &str) -> Vec<Statement<'t>> {
    let statement = |(at, line): (usize, &Line<'t>)| {
        let (first, rest) = line.tokens.split_first()?;
        if *first != Token::Name(name) {
            return None;
        }
        let when = when(lines, at);
        let (keys, rest) = subscripts(rest);
        let value = match rest {
            [Token::Other("="), value @ ..] => value_of(value),
            // The form is `DATABASES: dict = {…}`.
            [Token::Other(":"), annotated @ ..] => {
                let equals = annotated.iter().position(|token| *token == Token::Other("="))?;
                value_of(&annotated[equals + 1..])
            }
            _ => Value::Expression,
        };
        Some(Statement { keys, value, when })
    };
    lines.iter().enumerate().filter_map(statement).collect()
}

fn subscripts<'a, 't>(mut tokens: &'a [Token<'t>]) -> (Vec<&'t str>, &'a [Token<'t>]) {
    let mut keys = Vec::new();
    while let [Token::Other("["), Token::Text(key), Token::Other("]"), rest @ ..] = tokens {
        keys.push(*key);
        tokens = rest;
    }
    (keys, tokens)
}

fn value_of<'t>(tokens: &[Token<'t>]) -> Value<'t> {
    match tokens {
        [Token::Text(text)] => Value::Text(text),
        [Token::Name(name)] => Value::Word(name),
        [Token::Other("{"), inside @ .., Token::Other("}")] => {
            let entries = split(inside, ",").into_iter().filter(|entry| !entry.is_empty());
            Value::Dict(entries.map(entry).collect())
        }
        _ => Value::Expression,
    }
}

/// A key and its value. An entry that is no plain pair has an empty key.
fn entry<'t>(tokens: &[Token<'t>]) -> (&'t str, Value<'t>) {
    match tokens {
        [Token::Text(key), Token::Other(":"), value @ ..] => (key, value_of(value)),
        _ => ("", Value::Expression),
    }
}

/// The parts between the separators that are not inside brackets.
fn split<'a, 't>(tokens: &'a [Token<'t>], separator: &str) -> Vec<&'a [Token<'t>]> {
    let mut parts = Vec::new();
    let (mut begin, mut depth) = (0, 0_usize);
    for (at, token) in tokens.iter().enumerate() {
        match token {
            Token::Other("(" | "[" | "{") => depth += 1,
            Token::Other(")" | "]" | "}") => depth = depth.saturating_sub(1),
            Token::Other(sign) if *sign == separator && depth == 0 => {
                parts.push(&tokens[begin..at]);
                begin = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&tokens[begin..]);
    parts
}

/// When a line is reached, by the lines above it with less indentation.
pub(super) fn when<'t>(lines: &[Line<'t>], at: usize) -> When<'t> {
    let header_above = |at: usize| (0..at).rev().find(|above| lines[*above].indent < lines[at].indent);
    let Some(header) = header_above(at) else { return When::Always };
    if header_above(header).is_some() {
        return When::Unsure;
    }
    condition(lines, header)
}

fn condition<'t>(lines: &[Line<'t>], header: usize) -> When<'t> {
    use Token::{Name, Other};
    match lines[header].tokens.as_slice() {
        [Name("if"), Name("DEBUG"), Other(":")]
        | [Name("if"), Name("settings"), Other("."), Name("DEBUG"), Other(":")] => When::Debug,
        [Name("if"), Name("not"), Name("DEBUG"), Other(":")] => When::NotDebug,
        [Name("class"), Name(name), ..] => When::Class(name),
        [Name("else"), Other(":")] => {
            let indent = lines[header].indent;
            let before = (0..header).rev().find(|above| lines[*above].indent <= indent);
            match before.filter(|before| lines[*before].indent == indent).map(|before| condition(lines, before)) {
                Some(When::Debug) => When::NotDebug,
                Some(When::NotDebug) => When::Debug,
                _ => When::Unsure,
            }
        }
        _ => When::Unsure,
    }
}

/// The logical lines of a file that are not empty.
pub(super) fn lines(text: &str) -> Vec<Line<'_>> {
    let mut lines: Vec<Line<'_>> = Vec::new();
    let mut line = Line { indent: 0, tokens: Vec::new() };
    let mut depth = 0_usize;
    let mut rest = text;
    let mut line_start = text;
    while let Some(first) = rest.chars().next() {
        if line.tokens.is_empty() && !first.is_whitespace() {
            line.indent = line_start.len() - rest.len();
        }
        let length = match first {
            '\n' => {
                line_start = &rest[1..];
                if depth == 0 && !line.tokens.is_empty() {
                    lines.push(std::mem::replace(&mut line, Line { indent: 0, tokens: Vec::new() }));
                }
                1
            }
            '#' => rest.find('\n').unwrap_or(rest.len()),
            '\\' => 1 + usize::from(rest[1..].starts_with('\n')),
            c if c.is_whitespace() => c.len_utf8(),
            c => {
                let (token, length) = token(rest, c);
                match token {
                    Token::Other("(" | "[" | "{") => depth += 1,
                    Token::Other(")" | "]" | "}") => depth = depth.saturating_sub(1),
                    _ => {}
                }
                line.tokens.push(token);
                length
            }
        };
        rest = &rest[length..];
    }
    if !line.tokens.is_empty() {
        lines.push(line);
    }
    lines
}

/// The token that a text begins with, and its length.
fn token(rest: &str, first: char) -> (Token<'_>, usize) {
    if first.is_alphabetic() || first == '_' {
        let end = rest.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(rest.len());
        let name = &rest[..end];
        let is_prefix = name.len() <= 2 && name.bytes().all(|byte| b"rRbBuUfF".contains(&byte));
        if is_prefix && let Some(text) = quoted(&rest[end..]) {
            let length = end + text.whole;
            let is_plain = name.bytes().all(|byte| b"uUrR".contains(&byte));
            let inside = &rest[end + text.begin..end + text.end];
            return (if is_plain { Token::Text(inside) } else { Token::Other(&rest[..length]) }, length);
        }
        return (Token::Name(name), end);
    }
    if let Some(text) = quoted(rest) {
        return (Token::Text(&rest[text.begin..text.end]), text.whole);
    }
    let two = ["==", "!=", ">=", "<=", ":=", "+=", "-=", "*=", "|=", "&=", "->", "**"];
    let length = if two.iter().any(|sign| rest.starts_with(sign)) { 2 } else { first.len_utf8() };
    (Token::Other(&rest[..length]), length)
}

/// A string at the very beginning of a text: where its content begins and ends, and where the string itself ends.
struct Quoted {
    begin: usize,
    end: usize,
    whole: usize,
}

fn quoted(rest: &str) -> Option<Quoted> {
    let quote = ["\"\"\"", "'''", "\"", "'"].into_iter().find(|quote| rest.starts_with(quote))?;
    let begin = quote.len();
    let mut at = begin;
    while at < rest.len() {
        if rest[at..].starts_with(quote) {
            return Some(Quoted { begin, end: at, whole: at + quote.len() });
        }
        let c = rest[at..].chars().next()?;
        // A string in single quotes ends with its line at the latest; this string is broken.
        if c == '\n' && begin == 1 {
            break;
        }
        at += c.len_utf8();
        if c == '\\' {
            at += rest[at..].chars().next().map_or(0, char::len_utf8);
        }
    }
    Some(Quoted { begin, end: at, whole: at })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The value that each statement on `X` assigns to `a.b`, and when.
    fn read(text: &str) -> Vec<String> {
        let lines = lines(text);
        let found = statements(&lines, "X");
        found.iter().filter_map(|it| it.at(&["a", "b"]).map(|value| format!("{value:?} {:?}", it.when))).collect()
    }

    #[test]
    fn literals_are_found_below_their_keys() {
        for text in [
            "X = {'a': {'b': 'one'}}\n",
            "X = {\n    \"a\": {  # 'b': 'two'\n        \"b\": \"one\",\n    },\n}\n",
            "X: dict[str, str] = {'a': {'b': u'one'}}\n",
            "X['a'] = {'c': f(1, {'b': 2}), 'b': 'one'}\n",
            "X['a'][\"b\"] = 'one'",
        ] {
            assert_eq!(read(text), ["Text(\"one\") Always"], "{text}");
        }
    }

    #[test]
    fn a_value_that_is_no_literal_is_an_expression() {
        for text in [
            "X = {'a': {'b': os.environ.get('B', 'one')}}\n",
            "X = {'a': {'b': 'on' 'e'}}\n",
            "X = {'a': {'b': f'{one}'}}\n",
            "X = {'a': url('one')}\n",
            "X = {'a': {**base}}\n",
            "X = dict(a=1)\n",
            "X['a'].update(b='one')\n",
            "X |= {'a': {'b': 'one'}}\n",
        ] {
            assert_eq!(read(text), ["Expression Always"], "{text}");
        }
        for text in [
            "X = {'c': 1}\n",
            "X['a']['c'] = 'one'\n",
            "# X = {'a': {'b': 'one'}}\n",
            "Y = {'a': {'b': 'one'}}\n",
            "\"\"\"\nX = {'a': {'b': 'one'}}\n\"\"\"\n",
            "f(X={'a': {'b': 'one'}})\n",
            "s = 'it\\'s \\\nX = 1'\n",
        ] {
            assert!(read(text).is_empty(), "{text}");
        }
    }

    #[test]
    fn plain_conditions_are_read() {
        let text = "if DEBUG:\n    X['a']['b'] = '1'\nelse:\n    X['a']['b'] = '2'\nif not DEBUG:\n    X['a']['b'] = '3'\n\
                    if os.environ.get('CI'):\n    X['a']['b'] = '4'\nelse:\n    X['a']['b'] = '5'\n\
                    class Dev(Base):\n    X = {'a': {'b': '6'}}\ntry:\n    X['a']['b'] = '7'\nexcept E:\n    pass\n\
                    if DEBUG:\n    if y:\n        X['a']['b'] = '8'\nif DEBUG:\n    pass\nelif z:\n    X['a']['b'] = '9'\n\
                    else:\n    X['a']['b'] = '10'\n";
        let whens: Vec<String> = read(text).iter().filter_map(|it| Some(it.split_once(") ")?.1.to_owned())).collect();
        assert_eq!(
            whens,
            [
                "Debug",
                "NotDebug",
                "NotDebug",
                "Unsure",
                "Unsure",
                "Class(\"Dev\")",
                "Unsure",
                "Unsure",
                "Unsure",
                "Unsure"
            ]
        );
    }

    #[test]
    fn broken_strings_end_with_their_line() {
        assert_eq!(read("s = 'open\nX = {'a': {'b': 'one'}}\n"), ["Text(\"one\") Always"]);
        assert!(read("X = {'a': {'b': 'one'").len() < 2);
        for text in ["'", "\"\"\"", "X = '\\", "é = 'ü\\é'", "{{{", "f'"] {
            let _ = lines(text);
        }
    }
}

//! Finds the place of a part of a file's text.

use crate::model::{Origin, SourceFile};
use std::sync::Arc;

/// The place of a part of a file's text. The part has to be a slice of the file's own text.
pub(crate) fn place(source: &Arc<SourceFile>, part: &str) -> Origin {
    // Both are in one allocation, so the difference of the pointers is the part's offset.
    let at = (part.as_ptr() as usize).saturating_sub(source.text.as_ptr() as usize).min(source.text.len());
    let before = source.text.get(..at).unwrap_or_default();
    let begin = before.rfind('\n').map_or(0, |at| at + 1);
    let small = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    Origin {
        file: Arc::clone(source),
        line: small(before.matches('\n').count() + 1),
        column: small(before[begin..].chars().count() + 1),
        length: small(part.chars().count().max(1)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_place_of_a_part_of_a_text_is_found() {
        let source = Arc::new(SourceFile { path: "Gemfile".into(), text: "# é\n  ruby \"3.3\"\n".to_owned() });
        let at = source.text.find("3.3").unwrap();
        let place = place(&source, &source.text[at..at + 3]);
        assert_eq!((place.to_string().as_str(), place.length), ("Gemfile:2:9", 3));
    }
}

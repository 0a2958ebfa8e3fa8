//! Builds trees from the parser's events: the stack of open lists and maps, anchors, merge keys, and the limits.

use super::Documents;
use crate::model::{Diagnostic, Located, Origin, SourceFile};
use crate::syntax::tree::{Entry, Node, NodeKind};
use granit_parser::{Event, ScalarStyle, Span, StructureStyle, Tag};
use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// How deep lists and maps may nest.
const DEPTH: usize = 128;
/// How many entries one list or map may have. An entry is compared with other entries, so this limit bounds the
/// comparisons.
const MAX_ENTRIES: usize = 10_000;
/// How many bytes one text may hold: four times the limit of Kubernetes for a whole `ConfigMap`.
const MAX_TEXT: usize = 4 * 1024 * 1024;
/// How many values anchors and aliases may add.
const ALIAS_NODES: usize = 200_000;
/// How many bytes of a text that an alias copies count as one more value.
const ALIAS_TEXT: usize = 256;

/// Builds the documents of one file.
pub(super) struct Builder<'s> {
    source: &'s Arc<SourceFile>,
    /// The text that the parser reads: the whole source, or a part of it.
    text: &'s str,
    /// How many lines of the source are before this text.
    lines_before: usize,
    pub(super) read: Documents,
    stack: Vec<Frame>,
    /// Finished anchors of this document by the parser's number.
    anchors: HashMap<usize, Anchored>,
    /// How many values it may read.
    most: usize,
    alias_nodes: usize,
}

struct Anchored {
    node: Node,
    size: usize,
    depth: usize,
}

/// A list or map that is being read.
struct Frame {
    origin: Origin,
    tag: Option<Box<str>>,
    anchor: usize,
    content: Content,
}

enum Content {
    Sequence(Vec<Node>),
    Mapping { entries: Vec<Entry>, key: Option<Key>, merged: Vec<Node> },
}

struct Key {
    name: Located<String>,
    is: KeyIs,
}

enum KeyIs {
    Name,
    /// `<<`, not in quotes.
    Merge,
    /// A list or a map. Its entry is skipped.
    NoText,
}

/// Boxed, because it is rare and large.
type Fatal = Box<Diagnostic>;

impl<'s> Builder<'s> {
    pub(super) fn new(source: &'s Arc<SourceFile>, text: &'s str, lines_before: usize, most: usize) -> Self {
        Self {
            source,
            text,
            lines_before,
            read: Documents::default(),
            stack: Vec::new(),
            anchors: HashMap::new(),
            most,
            alias_nodes: 0,
        }
    }

    /// Handles one event. After an error, nothing more of the file is read.
    pub(super) fn event(&mut self, event: Event<'_>, span: Span) -> Result<(), Fatal> {
        match event {
            Event::DocumentStart(..) => {
                self.stack.clear();
                self.anchors.clear();
            }
            Event::Scalar(text, ..) if text.len() > MAX_TEXT => {
                return Err(Box::new(
                    Diagnostic::error("yaml-too-large", format!("a text is longer than {} MB", MAX_TEXT >> 20))
                        .at(&self.origin(span), "this one")
                        .help("name the part that describes the services with `-f`"),
                ));
            }
            Event::Scalar(text, style, anchor, tag) => {
                let origin = self.origin(span);
                let mut quoted = style != ScalarStyle::Plain;
                let tag = tag.and_then(|tag| own_tag(&tag, &mut quoted));
                // The parser returns `~` for a missing value.
                let text =
                    if !quoted && span.start.index() >= span.end.index() { String::new() } else { text.into_owned() };
                let node = Node { origin, tag, kind: NodeKind::Scalar { text, quoted } };
                return self.finish(node, anchor, !quoted);
            }
            Event::SequenceStart(style, anchor, tag) => {
                return self.open(style, anchor, tag, span, Content::Sequence(Vec::new()));
            }
            Event::MappingStart(style, anchor, tag) => {
                let content = Content::Mapping { entries: Vec::new(), key: None, merged: Vec::new() };
                return self.open(style, anchor, tag, span, content);
            }
            Event::SequenceEnd | Event::MappingEnd => return self.close(span),
            Event::Alias(id) => return self.alias(id, span),
            Event::UnresolvedAlias(name) => {
                let origin = self.origin(span);
                self.read.diagnostics.push(
                    Diagnostic::error("yaml-unknown-anchor", format!("no anchor is called `{name}`"))
                        .at(&origin, "an alias without an anchor")
                        .help(format!(
                            "write `&{name}` before the value that is meant, above this line in the same document"
                        )),
                );
                return self.finish(Node::scalar("", false, origin), 0, false);
            }
            _ => {}
        }
        Ok(())
    }

    fn open(
        &mut self,
        style: StructureStyle,
        anchor: usize,
        tag: Option<Cow<'_, Tag>>,
        span: Span,
        content: Content,
    ) -> Result<(), Fatal> {
        let mut origin = self.origin(span);
        if style == StructureStyle::Block {
            origin.length = 1;
        }
        if self.stack.len() >= DEPTH {
            return Err(Box::new(too_deep(&origin)));
        }
        let tag = tag.and_then(|tag| own_tag(&tag, &mut false));
        self.stack.push(Frame { origin, tag, anchor, content });
        Ok(())
    }

    fn close(&mut self, span: Span) -> Result<(), Fatal> {
        let Some(mut frame) = self.stack.pop() else { return Ok(()) };
        let end = (small(self.lines_before + span.end.line()), small(span.end.col()) + 1);
        if end.0 == frame.origin.line && end.1 > frame.origin.column {
            frame.origin.length = end.1 - frame.origin.column;
        }
        let kind = match frame.content {
            Content::Sequence(items) => NodeKind::Sequence(items),
            Content::Mapping { mut entries, merged, .. } => {
                self.check_duplicates(&mut entries);
                if !merged.is_empty() {
                    self.merge(&mut entries, merged, &frame.origin)?;
                }
                NodeKind::Mapping(entries)
            }
        };
        self.finish(Node { origin: frame.origin, tag: frame.tag, kind }, frame.anchor, false)
    }

    fn alias(&mut self, id: usize, span: Span) -> Result<(), Fatal> {
        let origin = self.origin(span);
        let Some(anchored) = self.anchors.get(&id) else {
            return Err(Box::new(
                Diagnostic::error("yaml-alias-cycle", "an alias is inside the value that it refers to")
                    .at(&origin, "this value would contain itself")
                    .help("write the value out, or move the anchor `&` to a smaller part"),
            ));
        };
        let (size, depth) = (anchored.size, anchored.depth);
        if self.stack.len() + depth > DEPTH {
            return Err(Box::new(too_deep(&origin)));
        }
        self.count_alias(size, &origin)?;
        let Some(anchored) = self.anchors.get(&id) else { return Ok(()) };
        let node = anchored.node.clone();
        self.read.values += size - 1;
        self.finish(node, 0, false)
    }

    /// Puts a finished value where it belongs: a key, a value, an item, or a whole document.
    fn finish(&mut self, node: Node, anchor: usize, may_be_merge: bool) -> Result<(), Fatal> {
        self.read.values += 1;
        if self.read.values > self.most {
            return Err(Box::new(
                Diagnostic::error("yaml-too-large", format!("the file holds more than {} values", self.most))
                    .at(&node.origin, "reading stopped here")
                    .help("name the part that describes the services with `-f`"),
            ));
        }
        if anchor != 0 {
            let (size, depth) = measure(&node);
            self.count_alias(size, &node.origin)?;
            self.anchors.insert(anchor, Anchored { node: node.clone(), size, depth });
        }
        let Some(frame) = self.stack.last_mut() else {
            let empty = matches!(&node.kind, NodeKind::Scalar { text, quoted: false } if text.is_empty());
            if !empty {
                self.read.documents.push(node);
            }
            return Ok(());
        };
        let width = match &frame.content {
            Content::Sequence(items) => items.len(),
            Content::Mapping { entries, .. } => entries.len(),
        };
        if width >= MAX_ENTRIES {
            return Err(Box::new(too_wide(&node.origin)));
        }
        match &mut frame.content {
            Content::Sequence(items) => items.push(node),
            Content::Mapping { entries, key: key @ None, .. } => {
                if entries.is_empty() && frame.origin.length == 1 && frame.origin.line == node.origin.line {
                    frame.origin.length = node.origin.length;
                }
                let NodeKind::Scalar { text, .. } = node.kind else {
                    self.read.key_is_no_text(&node.origin);
                    *key = Some(Key { name: Located::new(String::new(), node.origin), is: KeyIs::NoText });
                    return Ok(());
                };
                let is = if may_be_merge && text == "<<" { KeyIs::Merge } else { KeyIs::Name };
                *key = Some(Key { name: Located::new(text, node.origin), is });
            }
            Content::Mapping { entries, key, merged } => {
                let Some(Key { name, is }) = key.take() else { return Ok(()) };
                match is {
                    KeyIs::Name => entries.push(Entry { key: name, value: node }),
                    KeyIs::Merge => merged.push(node),
                    KeyIs::NoText => {}
                }
            }
        }
        Ok(())
    }

    /// Reports every key that appears twice, and keeps the first.
    fn check_duplicates(&mut self, entries: &mut Vec<Entry>) {
        let mut twice = Vec::new();
        if entries.len() <= 12 {
            for (at, entry) in entries.iter().enumerate() {
                if let Some(first) = entries[..at].iter().position(|other| other.key.value == entry.key.value) {
                    twice.push((first, at));
                }
            }
        } else {
            let mut seen: HashMap<&str, usize> = HashMap::with_capacity(entries.len());
            for (at, entry) in entries.iter().enumerate() {
                if let Some(first) = seen.get(entry.key.value.as_str()) {
                    twice.push((*first, at));
                } else {
                    seen.insert(&entry.key.value, at);
                }
            }
        }
        for (first, second) in twice.iter().take(super::MESSAGES) {
            let (first, second) = (&entries[*first].key, &entries[*second].key);
            self.read.diagnostics.push(
                Diagnostic::error("yaml-duplicate-key", format!("the key `{}` appears twice in one map", second.value))
                    .at(&second.origin, "appears here again")
                    .and_at(&first.origin, "appears here first")
                    .because("which one counts differs from tool to tool")
                    .help("remove one of them"),
            );
        }
        if !twice.is_empty() {
            let mut again = twice.into_iter().map(|(_, second)| second).peekable();
            let mut at = 0;
            entries.retain(|_| {
                at += 1;
                again.next_if_eq(&(at - 1)).is_none()
            });
        }
    }

    /// Adds the entries of `<<`. A key of the map itself wins over them, and an earlier map of a list over a later one.
    fn merge(&mut self, entries: &mut Vec<Entry>, merged: Vec<Node>, map: &Origin) -> Result<(), Fatal> {
        if merged.len() > 1 {
            self.read.diagnostics.push(
                Diagnostic::error("yaml-duplicate-key", "the key `<<` appears twice in one map")
                    .at(map, "in this map")
                    .because("which one counts differs from tool to tool")
                    .help("write one with a list: `<<: [*first, *second]`"),
            );
        }
        let mut taken: HashSet<String> = entries.iter().map(|entry| entry.key.value.clone()).collect();
        for node in merged {
            let parts = match node.kind {
                NodeKind::Sequence(parts) => parts,
                _ => vec![node],
            };
            for part in parts {
                let NodeKind::Mapping(part_entries) = part.kind else {
                    if !part.is_null() {
                        self.read.diagnostics.push(
                            Diagnostic::error("yaml-merge", format!("`<<` merges maps, and this is {}", part.shape()))
                                .at(&part.origin, "not a map")
                                .help("name a map (`<<: *name`) or a list of maps (`<<: [*one, *two]`)"),
                        );
                    }
                    continue;
                };
                self.count_alias(part_entries.len(), map)?;
                if entries.len() + part_entries.len() > MAX_ENTRIES {
                    return Err(Box::new(too_wide(map)));
                }
                entries.extend(part_entries.into_iter().filter(|entry| taken.insert(entry.key.value.clone())));
            }
        }
        Ok(())
    }

    fn count_alias(&mut self, size: usize, origin: &Origin) -> Result<(), Fatal> {
        self.alias_nodes += size;
        if self.alias_nodes <= ALIAS_NODES {
            return Ok(());
        }
        Err(Box::new(
            Diagnostic::error("yaml-alias-bomb", format!("aliases multiply to more than {ALIAS_NODES} values"))
                .at(origin, "reading stopped here")
                .because("aliases of aliases grow with every level, until memory is full")
                .help("write the values out, or use fewer aliases"),
        ))
    }

    /// Drops the unfinished part of a broken document.
    pub(super) fn abandon_document(&mut self, error: Diagnostic) {
        self.stack.clear();
        self.anchors.clear();
        self.read.diagnostics.push(error);
    }

    fn origin(&self, span: Span) -> Origin {
        let (start, end) = (span.start, span.end);
        let length = if start.line() == end.line() {
            end.col().saturating_sub(start.col())
        } else {
            let first = span.slice(self.text).and_then(|text| text.lines().next());
            first.map_or(1, |line| line.trim_end().chars().count())
        };
        self.place(start.line(), start.col(), length)
    }

    /// An origin from the parser's position: the parser counts lines from 1 and columns from 0.
    pub(super) fn place(&self, line: usize, column: usize, length: usize) -> Origin {
        Origin {
            file: Arc::clone(self.source),
            line: small(self.lines_before + line),
            column: small(column) + 1,
            length: small(length).max(1),
        }
    }
}

fn small(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX - 1)
}

pub(super) fn too_deep(origin: &Origin) -> Diagnostic {
    Diagnostic::error("yaml-too-deep", format!("lists and maps nest deeper than {DEPTH} levels"))
        .at(origin, "reading stopped here")
        .help("no manifest needs that: is this the right file?")
}

fn too_wide(origin: &Origin) -> Diagnostic {
    Diagnostic::error("yaml-too-large", format!("a list or a map has more than {MAX_ENTRIES} entries"))
        .at(origin, "reading stopped here")
        .help("name the part that describes the services with `-f`")
}

/// How many values a tree holds, and how many levels of lists and maps.
fn measure(node: &Node) -> (usize, usize) {
    let below = |children: &mut dyn Iterator<Item = &Node>| {
        children.map(measure).fold((1, 1), |(size, depth), (s, d)| (size + s, depth.max(d + 1)))
    };
    match &node.kind {
        NodeKind::Scalar { text, .. } => (1 + text.len() / ALIAS_TEXT, 0),
        NodeKind::Sequence(items) => below(&mut items.iter()),
        NodeKind::Mapping(entries) => below(&mut entries.iter().map(|entry| &entry.value)),
    }
}

/// The tag as written. YAML's own tags are applied here: `!!str` turns any scalar into text.
fn own_tag(tag: &Tag, quoted: &mut bool) -> Option<Box<str>> {
    match tag.core_suffix() {
        Some("str") => {
            *quoted = true;
            None
        }
        Some(_) => None,
        None => Some(tag.original().into_boxed_str()),
    }
}

impl Documents {
    /// Reports a key that is no text, once for each line: YAML reads `{{ name }}` as nested maps, one as the key of the
    /// other.
    fn key_is_no_text(&mut self, origin: &Origin) {
        let said = |last: &Diagnostic| {
            last.code == "yaml-key" && last.origin.as_ref().is_some_and(|place| place.line == origin.line)
        };
        if !self.diagnostics.last().is_some_and(said) {
            self.diagnostics.push(
                Diagnostic::error("yaml-key", "a map's key is a list or a map")
                    .at(origin, "a key has to be text")
                    .because("a `{{ … }}` of a template reads like this when it is not in quotes")
                    .help("put the key in quotes, or render the template first"),
            );
        }
    }
}

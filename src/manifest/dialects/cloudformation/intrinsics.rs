//! Evaluates a template's functions: `Ref`, `Sub`, `If`, `FindInMap` and similar, in their short and long forms.
//!
//! A parameter has its default value. A value that another stack, a resource or the deployment decides stays
//! unresolved. The tree limits nesting, [`DEPTH`] limits references, and [`VALUES`] limits the number of values.

use crate::model::Origin;
use crate::syntax::tree::{Entry, Node, NodeKind};
use std::cell::Cell;

/// The maximum depth of conditions and references that refer to each other.
const DEPTH: usize = 60;
/// The maximum number of values that one template may produce.
const VALUES: usize = 1_000_000;

/// A template whose values can be evaluated.
pub(super) struct Template<'t> {
    document: &'t Node,
    left: Cell<usize>,
}

/// A function and its argument.
struct Function<'n> {
    name: &'n str,
    argument: &'n Node,
}

impl<'t> Template<'t> {
    pub(super) fn new(document: &'t Node) -> Self {
        Self { document, left: Cell::new(VALUES) }
    }

    /// A value with every function in it evaluated. `AWS::NoValue` becomes null.
    pub(super) fn evaluate(&self, node: &Node) -> Node {
        self.value(node, 0)
    }

    /// Whether a condition holds; `None` if the template alone does not decide it.
    pub(super) fn condition(&self, name: &str) -> Option<bool> {
        self.named_condition(name, 0)
    }

    fn value(&self, node: &Node, depth: usize) -> Node {
        let Some(left) = self.left.get().checked_sub(1).filter(|_| depth < DEPTH * 3) else {
            return Node::unresolved(written(node), node.origin.clone());
        };
        self.left.set(left);
        if let Some(function) = function_of(node) {
            return self
                .call(&function, &node.origin, depth + 1)
                .unwrap_or_else(|| Node::unresolved(written(node), node.origin.clone()));
        }
        let kind = match &node.kind {
            NodeKind::Scalar { .. } => return Node { tag: None, ..node.clone() },
            NodeKind::Sequence(items) => {
                NodeKind::Sequence(items.iter().map(|item| self.value(item, depth + 1)).collect())
            }
            NodeKind::Mapping(entries) => NodeKind::Mapping(
                entries
                    .iter()
                    .map(|entry| Entry { key: entry.key.clone(), value: self.value(&entry.value, depth + 1) })
                    .collect(),
            ),
        };
        Node { origin: node.origin.clone(), tag: None, kind }
    }

    fn call(&self, function: &Function<'_>, origin: &Origin, depth: usize) -> Option<Node> {
        let argument = function.argument;
        let items = || argument.as_sequence().unwrap_or_default();
        let of = |node: &Node| self.value(node, depth + 1);
        let text = |text: String| Node::scalar(text, true, origin.clone());
        match function.name {
            "Ref" => self.reference(argument.as_str()?, origin, depth),
            "Sub" => self.substitute(argument, depth).map(text),
            "If" => {
                let [condition, then, otherwise] = items() else { return None };
                let holds = self.named_condition(condition.as_str()?, depth + 1)?;
                Some(of(if holds { then } else { otherwise }))
            }
            "Join" => {
                let [separator, parts] = items() else { return None };
                let parts = of(parts);
                let parts: Option<Vec<&str>> = parts.as_sequence()?.iter().map(Node::as_literal).collect();
                Some(text(parts?.join(literal(separator)?)))
            }
            "Select" => {
                let [index, list] = items() else { return None };
                let list = of(list);
                list.as_sequence()?.get(of(index).as_literal()?.parse::<usize>().ok()?).cloned()
            }
            "Split" => {
                let [separator, whole] = items() else { return None };
                let whole = of(whole);
                let parts = whole.as_literal()?.split(literal(separator)?).map(|part| text(part.to_owned()));
                Some(Node { origin: origin.clone(), tag: None, kind: NodeKind::Sequence(parts.collect()) })
            }
            "FindInMap" => {
                let [map, first, second, ..] = items() else { return None };
                let found = self.document.get("Mappings")?.get(of(map).as_literal()?)?;
                found.get(of(first).as_literal()?)?.get(of(second).as_literal()?).map(of)
            }
            "ToJsonString" => Some(of(&Node { tag: None, ..argument.clone() })),
            _ => None,
        }
    }

    fn reference(&self, name: &str, origin: &Origin, depth: usize) -> Option<Node> {
        if name == "AWS::NoValue" {
            return Some(Node::scalar("null", false, origin.clone()));
        }
        let parameter = self.document.get("Parameters")?.get(name)?;
        // The default of a parameter that is looked up at deploy time is the name of the SSM parameter, not its value.
        if parameter
            .get("Type")
            .and_then(Node::as_str)
            .is_some_and(|kind| kind.starts_with("AWS::SSM::Parameter::Value"))
        {
            return None;
        }
        let default = parameter.get("Default")?;
        // The default of a secret is a placeholder at best.
        let hidden = parameter.get("NoEcho").is_some_and(|node| node.as_str() == Some("true"));
        (!hidden).then(|| self.value(default, depth + 1))
    }

    /// Replaces `${Name}` and `${!Literal}`. The long form also has names of its own.
    fn substitute(&self, argument: &Node, depth: usize) -> Option<String> {
        let (template, own) = match argument.as_sequence() {
            Some([template, own, ..]) => (template.as_str()?, Some(own)),
            Some([template]) => (template.as_str()?, None),
            _ => (argument.as_str()?, None),
        };
        let mut text = String::new();
        let mut rest = template;
        while let Some(at) = rest.find("${") {
            text.push_str(&rest[..at]);
            let inside = &rest[at + 2..];
            let end = inside.find('}')?;
            let name = inside[..end].trim();
            if let Some(literal) = name.strip_prefix('!') {
                text.push_str("${");
                text.push_str(literal);
                text.push('}');
            } else {
                let value = match own.and_then(|own| own.get(name)) {
                    Some(value) => self.value(value, depth + 1),
                    None => self.reference(name, &argument.origin, depth + 1)?,
                };
                text.push_str(value.as_literal()?);
            }
            rest = &inside[end + 1..];
            self.left.set(self.left.get().checked_sub(1 + text.len() / 64)?);
        }
        text.push_str(rest);
        Some(text)
    }

    fn named_condition(&self, name: &str, depth: usize) -> Option<bool> {
        let condition = self.document.get("Conditions")?.get(name)?;
        self.holds(condition, depth + 1)
    }

    fn holds(&self, node: &Node, depth: usize) -> Option<bool> {
        let left = self.left.get().checked_sub(1).filter(|_| depth < DEPTH)?;
        self.left.set(left);
        let function = function_of(node)?;
        let items = || function.argument.as_sequence().unwrap_or_default();
        let each = || items().iter().map(|item| self.holds(item, depth + 1));
        match function.name {
            "Condition" => self.named_condition(function.argument.as_str()?, depth),
            "Not" => Some(!self.holds(items().first()?, depth + 1)?),
            "And" if each().any(|holds| holds == Some(false)) => Some(false),
            "And" => each().collect::<Option<Vec<bool>>>().map(|all| all.into_iter().all(|holds| holds)),
            "Or" if each().any(|holds| holds == Some(true)) => Some(true),
            "Or" => each().collect::<Option<Vec<bool>>>().map(|all| all.into_iter().any(|holds| holds)),
            "Equals" => {
                let [left, right] = items() else { return None };
                let (left, right) = (self.value(left, depth + 1), self.value(right, depth + 1));
                Some(literal(&left)? == literal(&right)?)
            }
            _ => None,
        }
    }
}

/// The function that a value is: `!Ref X`, `{Ref: X}`, `{"Fn::Sub": …}`.
fn function_of(node: &Node) -> Option<Function<'_>> {
    if let Some(name) = node.tag.as_deref().and_then(|tag| tag.strip_prefix('!')) {
        return Some(Function { name, argument: node });
    }
    let [Entry { key, value }] = node.as_mapping()? else { return None };
    let name = match key.value.as_str() {
        name @ ("Ref" | "Condition") => name,
        name => name.strip_prefix("Fn::")?,
    };
    Some(Function { name, argument: value })
}

/// The text of an evaluated scalar. An empty text counts as text here.
fn literal(node: &Node) -> Option<&str> {
    match &node.kind {
        NodeKind::Scalar { text, .. } if node.tag.is_none() => Some(text),
        _ => None,
    }
}

/// A function as a person would write it: `!Ref EngineVersion`.
fn written(node: &Node) -> String {
    let Some(function) = function_of(node) else { return "…".to_owned() };
    let argument = match &function.argument.kind {
        NodeKind::Scalar { text, .. } => text.chars().take(60).collect(),
        NodeKind::Sequence(items) => {
            let words: Option<Vec<&str>> = items.iter().map(literal).collect();
            words.map_or_else(|| "…".to_owned(), |words| words.join("."))
        }
        NodeKind::Mapping(_) => "…".to_owned(),
    };
    format!("!{} {argument}", function.name)
}

/// The resource of the template that a value refers to: its name, and the attribute (empty for `Ref`).
pub(super) fn resource_of(node: &Node) -> Option<(String, String)> {
    let function = function_of(node)?;
    match function.name {
        "Ref" => Some((function.argument.as_str()?.to_owned(), String::new())),
        "GetAtt" => {
            if let Some([name, rest @ ..]) = function.argument.as_sequence() {
                let rest: Vec<&str> = rest.iter().filter_map(Node::as_str).collect();
                return Some((name.as_str()?.to_owned(), rest.join(".")));
            }
            let (name, attribute) = function.argument.as_str()?.split_once('.')?;
            Some((name.to_owned(), attribute.to_owned()))
        }
        _ => None,
    }
}

//! Evaluates expressions, as far as their values are in the files.
//!
//! Any other expression becomes an unresolved value that contains the source of the expression. Evaluation never fails,
//! runs no program, and is bounded in depth and in the number of values.

mod blocks;
mod functions;

use super::module::Module;
use crate::manifest::read::hcl::{self, EXPRESSION};
use crate::model::{Located, Origin};
use crate::syntax::tree::{Entry, Node, NodeKind};
use hcl_edit::expr::{
    BinaryOperator, Conditional, Expression, ForExpr, ObjectKey, Traversal, TraversalOperator, UnaryOperator,
};
use hcl_edit::template::{Element, Template};
use std::cell::Cell;
use std::collections::BTreeMap;
use std::rc::Rc;

/// How deep expressions and references may nest.
const MAX_DEPTH: usize = 60;
/// How many values the expressions of one project may have.
pub(super) const MAX_VALUES: usize = 300_000;

/// So many bytes of a text count as one more value.
const BYTES_PER_VALUE: usize = 16;

/// The meaning of names at one place of a module.
#[derive(Clone)]
pub(super) struct Scope<'a> {
    /// The module whose expressions are evaluated.
    pub(super) module: &'a Module,
    /// The values of its variables: from files, from the environment, or from the block that calls the module.
    pub(super) given: &'a BTreeMap<String, Node>,
    /// `each`, `count` and the names of `for`.
    pub(super) bound: Vec<(String, Rc<Node>)>,
    /// The local values and resources that are being evaluated. A reference to one of them is a cycle, and is
    /// unresolved.
    pub(super) inside: Vec<String>,
    /// How many further values may be made.
    pub(super) left: &'a Cell<usize>,
}

impl Scope<'_> {
    /// The same with a further name.
    pub(super) fn with(&self, name: &str, value: Node) -> Self {
        let mut scope = self.clone();
        scope.bound.push((name.to_owned(), Rc::new(value)));
        scope
    }

    /// The scope for the value of a name; `None` if the value is being evaluated already.
    fn inside_of(&self, name: String) -> Option<Self> {
        let mut inside = self.inside.clone();
        if inside.contains(&name) {
            return None;
        }
        inside.push(name);
        Some(Self { bound: Vec::new(), inside, ..self.clone() })
    }

    /// A value with every expression in it evaluated.
    pub(super) fn evaluate(&self, node: &Node) -> Node {
        self.node(node, 0)
    }

    /// The same, at this depth of nesting.
    pub(super) fn node(&self, node: &Node, depth: usize) -> Node {
        let Some(left) = self.left.get().checked_sub(1).filter(|_| depth < MAX_DEPTH) else {
            return Node::unresolved(source(node), node.origin.clone());
        };
        self.left.set(left);
        let kind = match &node.kind {
            NodeKind::Scalar { text, .. } if node.tag.as_deref() == Some(EXPRESSION) => {
                return match hcl::expression(text) {
                    Some(expression) => self.expression(&expression, &Place { text, origin: &node.origin }, depth + 1),
                    None => Node::unresolved(text.clone(), node.origin.clone()),
                };
            }
            // Terraform's JSON form writes expressions as templates.
            NodeKind::Scalar { text, quoted: true } if node.tag.is_none() && text.contains("${") => {
                return match hcl_edit::parser::parse_template(text) {
                    Ok(template) if !text.contains("$${") => {
                        self.template(&template, &Place { text, origin: &node.origin }, depth + 1)
                    }
                    _ => node.clone(),
                };
            }
            NodeKind::Scalar { .. } => return node.clone(),
            NodeKind::Sequence(items) => {
                NodeKind::Sequence(items.iter().map(|item| self.node(item, depth + 1)).collect())
            }
            NodeKind::Mapping(entries) => {
                let (dynamic, plain): (Vec<&Entry>, Vec<&Entry>) =
                    entries.iter().partition(|entry| entry.key.value == "dynamic");
                let evaluated =
                    |entry: &Entry| Entry { key: entry.key.clone(), value: self.node(&entry.value, depth + 1) };
                let mut made: Vec<Entry> = plain.into_iter().map(evaluated).collect();
                for entry in dynamic {
                    blocks::make(self, &entry.value, depth + 1, &mut made);
                }
                NodeKind::Mapping(made)
            }
        };
        Node { origin: node.origin.clone(), tag: node.tag.clone(), kind }
    }

    pub(super) fn expression(&self, expression: &Expression, at: &Place<'_>, depth: usize) -> Node {
        let Some(left) = self.left.get().checked_sub(1).filter(|_| depth < MAX_DEPTH) else { return at.unresolved() };
        self.left.set(left);
        let of = |expression: &Expression| self.expression(expression, at, depth + 1);
        match expression {
            Expression::Null(_) => at.plain("null"),
            Expression::Bool(value) => at.plain(value.value().to_string()),
            Expression::Number(number) => at.plain(number.value().to_string()),
            Expression::String(text) => at.text(text.as_str()),
            Expression::Array(items) => at.node(NodeKind::Sequence(items.iter().map(of).collect())),
            Expression::Object(object) => {
                let mut entries = Vec::with_capacity(object.len());
                for (key, value) in object {
                    let key = match key {
                        ObjectKey::Ident(ident) => ident.to_string(),
                        ObjectKey::Expression(key) => match of(key).as_literal() {
                            Some(text) => text.to_owned(),
                            None => return at.unresolved(),
                        },
                    };
                    entries.push(at.entry(key, of(value.expr())));
                }
                at.node(NodeKind::Mapping(entries))
            }
            Expression::Parenthesis(inner) => of(inner.inner()),
            Expression::StringTemplate(template) => self.template(template, at, depth),
            Expression::HeredocTemplate(heredoc) => {
                let mut heredoc = heredoc.clone();
                heredoc.dedent();
                self.template(&heredoc.template, at, depth)
            }
            Expression::Variable(name) => self.bound(name).unwrap_or_else(|| at.unresolved()),
            Expression::Traversal(traversal) => self.traversal(traversal, at, depth),
            Expression::Conditional(conditional) => self.conditional(conditional, at, depth),
            Expression::FuncCall(call) => {
                let arguments: Vec<Node> = call.args.iter().map(of).collect();
                let name = call.name.name.to_string();
                functions::call(&name, &arguments, at).map_or_else(|| at.unresolved(), |made| self.counted(made))
            }
            Expression::UnaryOp(operation) if *operation.operator.value() == UnaryOperator::Not => {
                match truth(&of(&operation.expr)) {
                    Some(value) => at.boolean(!value),
                    None => at.unresolved(),
                }
            }
            Expression::BinaryOp(operation) => {
                let (left, right) = (of(&operation.lhs_expr), of(&operation.rhs_expr));
                match operate(*operation.operator.value(), &left, &right) {
                    Some(value) => at.boolean(value),
                    None => at.unresolved(),
                }
            }
            Expression::ForExpr(expression) => self.for_each(expression, at, depth).unwrap_or_else(|| at.unresolved()),
            Expression::UnaryOp(_) => at.unresolved(),
        }
    }

    fn conditional(&self, conditional: &Conditional, at: &Place<'_>, depth: usize) -> Node {
        match truth(&self.expression(&conditional.cond_expr, at, depth + 1)) {
            Some(true) => self.expression(&conditional.true_expr, at, depth + 1),
            Some(false) => self.expression(&conditional.false_expr, at, depth + 1),
            None => at.unresolved(),
        }
    }

    fn template(&self, template: &Template, at: &Place<'_>, depth: usize) -> Node {
        let mut text = String::new();
        for element in template {
            match element {
                Element::Literal(literal) => text.push_str(literal.as_str()),
                Element::Interpolation(interpolation) => {
                    let value = self.expression(&interpolation.expr, at, depth + 1);
                    if template.len() == 1 {
                        return value;
                    }
                    match value.as_literal() {
                        Some(part) if text.len() + part.len() <= self.left.get() => text.push_str(part),
                        _ => return at.unresolved(),
                    }
                }
                Element::Directive(_) => return at.unresolved(),
            }
        }
        self.left.set(self.left.get().saturating_sub(text.len() / BYTES_PER_VALUE));
        at.text(&text)
    }

    fn for_each(&self, expression: &ForExpr, at: &Place<'_>, depth: usize) -> Option<Node> {
        let collection = self.expression(&expression.intro.collection_expr, at, depth + 1);
        let (mut items, mut entries) = (Vec::new(), Vec::new());
        for (key, value) in pairs(&collection)? {
            let mut scope = self.with(&expression.intro.value_var, value);
            if let Some(name) = &expression.intro.key_var {
                scope = scope.with(name, Node::scalar(key, true, collection.origin.clone()));
            }
            if let Some(condition) = &expression.cond
                && !truth(&scope.expression(&condition.expr, at, depth + 1))?
            {
                continue;
            }
            let made = scope.expression(&expression.value_expr, at, depth + 1);
            match &expression.key_expr {
                Some(key) => {
                    let key = scope.expression(key, at, depth + 1).as_literal()?.to_owned();
                    if !entries.iter().any(|entry: &Entry| entry.key.value == key) {
                        entries.push(at.entry(key, made));
                    }
                }
                None => items.push(made),
            }
        }
        if expression.grouping {
            return None;
        }
        let kind = if expression.key_expr.is_some() { NodeKind::Mapping(entries) } else { NodeKind::Sequence(items) };
        Some(at.node(kind))
    }

    fn bound(&self, name: &str) -> Option<Node> {
        self.bound.iter().rev().find(|(known, _)| known == name).map(|(_, value)| self.counted(Node::clone(value)))
    }

    /// Counts a copied value; unresolved if too many values have been made.
    fn counted(&self, node: Node) -> Node {
        let size = size(&node);
        match self.left.get().checked_sub(size) {
            Some(left) => {
                self.left.set(left);
                node
            }
            None => Node::unresolved("…", node.origin),
        }
    }

    /// Evaluates a reference: `var.x`, `local.x.y[0]`, `each.value`, `aws_db_parameter_group.x.name`.
    fn traversal(&self, traversal: &Traversal, at: &Place<'_>, depth: usize) -> Node {
        let mut steps = traversal.operators.iter().map(hcl_edit::Decorated::value);
        let Expression::Variable(root) = &traversal.expr else {
            let base = self.expression(&traversal.expr, at, depth + 1);
            return self.walk(base, steps, at, depth);
        };
        let root = root.to_string();
        if let Some(value) = self.bound(&root) {
            return self.walk(value, steps, at, depth);
        }
        let Some(TraversalOperator::GetAttr(name)) = steps.next() else { return at.unresolved() };
        let name = name.to_string();
        let base = match root.as_str() {
            "var" => match (self.given.get(&name), self.module.variables.get(&name)) {
                (Some(value), _) => self.counted(value.clone()),
                (None, Some(Some(default))) => self.counted(default.clone()),
                _ => return at.unresolved(),
            },
            "local" => match self.module.locals.get(&name) {
                // The names of a `for` are not visible inside a local value.
                Some(value) => match self.inside_of(format!("local.{name}")) {
                    Some(scope) => scope.node(value, depth + 1),
                    None => return at.unresolved(),
                },
                None => return at.unresolved(),
            },
            "data" | "module" | "path" | "terraform" | "self" => return at.unresolved(),
            kind => {
                let Some(body) = self.module.resource(kind, &name) else { return at.unresolved() };
                let mut steps = steps.skip_while(|step| matches!(step, TraversalOperator::Index(_)));
                let Some(TraversalOperator::GetAttr(attribute)) = steps.next() else { return at.unresolved() };
                let Some(value) = body.get(attribute.as_str()) else { return at.unresolved() };
                let Some(scope) = self.inside_of(format!("{kind}.{name}.{}", attribute.as_str())) else {
                    return at.unresolved();
                };
                let value = scope.node(value, depth + 1);
                return self.walk(value, steps, at, depth);
            }
        };
        self.walk(base, steps, at, depth)
    }

    fn walk<'s>(
        &self,
        mut node: Node,
        steps: impl Iterator<Item = &'s TraversalOperator>,
        at: &Place<'_>,
        depth: usize,
    ) -> Node {
        for step in steps {
            if node.as_unresolved().is_some() {
                return node;
            }
            let key = match step {
                TraversalOperator::GetAttr(name) => name.to_string(),
                TraversalOperator::LegacyIndex(index) => index.value().to_string(),
                TraversalOperator::Index(index) => match self.expression(index, at, depth + 1).as_literal() {
                    Some(key) => key.to_owned(),
                    None => return at.unresolved(),
                },
                TraversalOperator::AttrSplat(_) | TraversalOperator::FullSplat(_) => return at.unresolved(),
            };
            let found = match &node.kind {
                NodeKind::Mapping(_) => node.get(&key),
                NodeKind::Sequence(items) => key.parse::<usize>().ok().and_then(|index| items.get(index)),
                NodeKind::Scalar { .. } => None,
            };
            match found {
                Some(found) => node = found.clone(),
                None => return at.unresolved(),
            }
        }
        node
    }
}

/// The place of an expression, for the values that it evaluates to.
pub(super) struct Place<'t> {
    /// The source of the whole expression.
    pub(super) text: &'t str,
    /// Its place.
    pub(super) origin: &'t Origin,
}

impl Place<'_> {
    pub(super) fn node(&self, kind: NodeKind) -> Node {
        Node { origin: self.origin.clone(), tag: None, kind }
    }

    pub(super) fn plain(&self, text: impl Into<String>) -> Node {
        Node::scalar(text, false, self.origin.clone())
    }

    pub(super) fn text(&self, text: &str) -> Node {
        Node::scalar(text, true, self.origin.clone())
    }

    pub(super) fn boolean(&self, value: bool) -> Node {
        self.plain(value.to_string())
    }

    pub(super) fn entry(&self, key: String, value: Node) -> Entry {
        Entry { key: Located::new(key, self.origin.clone()), value }
    }

    pub(super) fn unresolved(&self) -> Node {
        Node::unresolved(self.text.trim(), self.origin.clone())
    }
}

/// Keys and values of the collection of a `for_each` or `for`: a map, or a list, whose items are their own keys as in a
/// set.
pub(super) fn pairs(collection: &Node) -> Option<Vec<(String, Node)>> {
    match &collection.kind {
        NodeKind::Mapping(entries) => {
            Some(entries.iter().map(|entry| (entry.key.value.clone(), entry.value.clone())).collect())
        }
        NodeKind::Sequence(items) => Some(
            items
                .iter()
                .enumerate()
                .map(|(at, item)| (item.as_literal().map_or_else(|| at.to_string(), str::to_owned), item.clone()))
                .collect(),
        ),
        NodeKind::Scalar { .. } => None,
    }
}

/// `true` or `false`, also in quotes, because Terraform converts them.
pub(super) fn truth(node: &Node) -> Option<bool> {
    match node.as_literal()? {
        "true" => Some(true),
        "false" => Some(false),
        _ => None,
    }
}

fn operate(operator: BinaryOperator, left: &Node, right: &Node) -> Option<bool> {
    let number = |node: &Node| node.as_literal()?.parse::<f64>().ok();
    match operator {
        BinaryOperator::And => match (truth(left), truth(right)) {
            (Some(false), _) | (_, Some(false)) => Some(false),
            (left, right) => Some(left? && right?),
        },
        BinaryOperator::Or => match (truth(left), truth(right)) {
            (Some(true), _) | (_, Some(true)) => Some(true),
            (left, right) => Some(left? || right?),
        },
        BinaryOperator::Eq => equal(left, right),
        BinaryOperator::NotEq => Some(!equal(left, right)?),
        BinaryOperator::Less => Some(number(left)? < number(right)?),
        BinaryOperator::LessEq => Some(number(left)? <= number(right)?),
        BinaryOperator::Greater => Some(number(left)? > number(right)?),
        BinaryOperator::GreaterEq => Some(number(left)? >= number(right)?),
        _ => None,
    }
}

/// Whether two values are the same; `None` if one of them is unresolved.
fn equal(left: &Node, right: &Node) -> Option<bool> {
    let is_resolved = |node: &Node| node.tag.is_none();
    if !is_resolved(left) || !is_resolved(right) {
        return None;
    }
    match (&left.kind, &right.kind) {
        (NodeKind::Scalar { .. }, NodeKind::Scalar { .. }) => {
            let is_null =
                |node: &Node| matches!(&node.kind, NodeKind::Scalar { text, quoted: false } if text == "null");
            Some(is_null(left) == is_null(right) && scalar_text(left) == scalar_text(right))
        }
        (NodeKind::Scalar { .. }, _) | (_, NodeKind::Scalar { .. }) => Some(false),
        _ => None,
    }
}

fn scalar_text(node: &Node) -> &str {
    match &node.kind {
        NodeKind::Scalar { text, .. } => text,
        _ => "",
    }
}

fn source(node: &Node) -> String {
    match &node.kind {
        NodeKind::Scalar { text, .. } => text.clone(),
        _ => "…".to_owned(),
    }
}

fn size(node: &Node) -> usize {
    match &node.kind {
        NodeKind::Scalar { text, .. } => 1 + text.len() / BYTES_PER_VALUE,
        NodeKind::Sequence(items) => 1 + items.iter().map(size).sum::<usize>(),
        NodeKind::Mapping(entries) => 1 + entries.iter().map(|entry| size(&entry.value)).sum::<usize>(),
    }
}

#[cfg(test)]
mod tests;

//! Tests of the evaluation of expressions.

use super::*;
use crate::model::SourceFile;
use std::sync::Arc;

/// The value of `x` in a file, as text; in brackets if the value is unresolved.
fn value(text: &str) -> String {
    let read = hcl::parse(&Arc::new(SourceFile { path: "main.tf".into(), text: text.to_owned() }));
    assert_eq!(read.diagnostics, []);
    let module = Module::of(&read.documents[0]);
    let (given, left) = (BTreeMap::new(), Cell::new(MAX_VALUES));
    let scope = Scope { module: &module, given: &given, bound: Vec::new(), inside: Vec::new(), left: &left };
    let node = scope.evaluate(&module.locals["x"]);
    match (node.as_unresolved(), node.as_literal()) {
        (Some(by), _) => format!("[{by}]"),
        (None, Some(text)) => text.to_owned(),
        (None, None) => node.shape().to_owned(),
    }
}

#[test]
fn expressions_with_known_values_are_evaluated() {
    for (expression, wanted) in [
        ("\"16\"", "16"),
        ("var.v", "16.4"),
        ("\"${var.v}-x\"", "16.4-x"),
        ("var.on ? \"8.0\" : \"6.x\"", "8.0"),
        ("!var.on ? \"8.0\" : \"6.x\"", "6.x"),
        ("var.v == \"16.4\" && var.on ? \"a\" : \"b\"", "a"),
        ("var.empty == null ? \"a\" : \"b\"", "a"),
        ("local.map[\"b\"].version", "15"),
        ("local.list[1]", "two"),
        ("lookup(local.map, \"c\", \"none\")", "none"),
        ("merge({ a = \"1\" }, { a = \"2\" }).a", "2"),
        ("format(\"%s-%d\", var.v, 3)", "16.4-3"),
        ("join(\".\", [\"1\", \"2\"])", "1.2"),
        ("coalesce(var.empty, var.v)", "16.4"),
        ("try(var.unknown, \"a\")", "a"),
        ("{ for k, v in local.map : k => v.version }[\"b\"]", "15"),
        ("[for v in local.list : upper(v) if v != \"one\"][0]", "TWO"),
        ("length(local.list) > 1 ? \"many\" : \"few\"", "many"),
        ("aws_rds_cluster.c.engine_version", "15.4"),
        ("jsonencode({ engineVersion = \"7.0\" }).engineVersion", "7.0"),
    ] {
        let text = format!(
            "variable \"v\" {{ default = \"16.4\" }}\nvariable \"on\" {{ default = true }}\n\
             variable \"empty\" {{ default = null }}\nvariable \"unknown\" {{}}\n\
             resource \"aws_rds_cluster\" \"c\" {{ engine_version = \"15.4\" }}\n\
             locals {{\n map = {{ b = {{ version = \"15\" }} }}\n list = [\"one\", \"two\"]\n x = {expression}\n}}\n"
        );
        assert_eq!(value(&text), wanted, "{expression}");
    }
}

#[test]
fn an_unresolved_expression_names_its_source() {
    for (expression, wanted) in [
        ("var.unknown", "[var.unknown]"),
        ("\"a-${var.unknown}\"", "[\"a-${var.unknown}\"]"),
        ("var.unknown ? \"a\" : \"b\"", "[var.unknown ? \"a\" : \"b\"]"),
        ("data.x.y.z", "[data.x.y.z]"),
        ("module.x.y", "[module.x.y]"),
        ("file(\"/etc/passwd\")", "[file(\"/etc/passwd\")]"),
        ("local.x", "[local.x]"),
    ] {
        assert_eq!(value(&format!("variable \"unknown\" {{}}\nlocals {{ x = {expression} }}\n")), wanted);
    }
}

#[test]
fn values_that_grow_without_end_are_unresolved() {
    let grown = |at: usize| format!(" a{} = concat(local.a{at}, local.a{at})\n", at + 1);
    let grown: String = (0..59).map(grown).collect();
    let text = format!("locals {{\n a0 = [\"a\", \"b\"]\n{grown} x = local.a59[0]\n}}\n");
    assert!(value(&text).starts_with('['));
}

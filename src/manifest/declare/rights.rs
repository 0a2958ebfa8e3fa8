//! `rights:` in devenv's own files: the rights of a service's logins beyond their databases.
//!
//! `rights:` of a service is for all its logins; `rights:` of one login wins over it. `superuser: true` of a login is
//! the same as `rights: superuser`.

use crate::kinds::{Kind, Kinds, Protocol};
use crate::model::{Credential, Diagnostic, Located, Origin, Rights, Service, Stack, User};
use crate::syntax::expect::Expect;
use crate::syntax::tree::Node;

/// Reads `rights` of a service's entry; mistakes are reported.
pub(crate) fn of_service(node: &Node, kind: &Kind, expect: &mut Expect) -> Option<Rights> {
    read(node.get("rights")?, "`rights`", kind, expect)
}

/// Reads `rights` or `superuser` of a login; mistakes are reported.
pub(crate) fn of_user(node: &Node, what: &str, kind: &Kind, expect: &mut Expect) -> Option<Rights> {
    if let Some(said) = node.get("rights") {
        return read(said, &format!("`rights` of {what}"), kind, expect);
    }
    let said = expect.boolean(node.get("superuser")?, &format!("`superuser` of {what}"))?;
    Some(if said.value { Rights::Superuser } else { Rights::Owner })
}

fn read(node: &Node, of: &str, kind: &Kind, expect: &mut Expect) -> Option<Rights> {
    let word = expect.text(node, of)?;
    let Some(rights) = Rights::named(&word.value) else {
        expect.wrong(node, of, "one of minimal, monitor, owner, master, superuser");
        return None;
    };
    if !kind.protocol.has_rights() {
        expect.diagnostics.push(
            Diagnostic::error(
                "rights-unknown",
                format!("{} has no rights that a login could have more of", kind.title),
            )
            .at(&node.origin, "not carried out")
            .help("take it out"),
        );
        return None;
    }
    Some(rights)
}

/// Adds a note to each service whose apps log in as a cloud's master user: the rights that the login has in the cloud
/// and not here.
pub(crate) fn note_masters(stack: &mut Stack, kinds: &Kinds) {
    for service in &mut stack.services {
        let is_master = service.users.iter().any(|user| user.rights == Some(Rights::Master));
        if let Some(kind) = kinds.get(&service.kind).filter(|kind| is_master && !kind.master_note.is_empty()) {
            service.notes.push(kind.master_note.clone());
        }
    }
}

/// Gives all logins of a service these rights. A login whose rights are fixed by the image is reported.
pub(crate) fn give(service: &mut Service, rights: Rights, origin: &Origin, kind: &Kind, expect: &mut Expect) {
    if let (true, Some(name)) = (service.users.is_empty(), &kind.default_user) {
        let name = Located::new(name.clone(), service.origin.clone());
        let credential = Credential::Own(service.name.clone());
        service.users.push(User { name, credential, bound: true, rights: None });
    }
    for at in 0..service.users.len() {
        give_one(service, at, rights, origin, kind, expect);
    }
}

/// Gives one login of a service these rights.
pub(crate) fn give_one(
    service: &mut Service,
    at: usize,
    rights: Rights,
    origin: &Origin,
    kind: &Kind,
    expect: &mut Expect,
) {
    let family = kind.family(&service.family);
    let user = &mut service.users[at];
    // Messages about this login cite the place in this file.
    user.name.origin = origin.clone();
    let name = &user.name.value;
    user.rights = Some(rights);
    let is_fixed = family.is_some_and(|family| {
        let is_admin = family.admin.as_ref() == Some(name);
        // If an image takes no definitions, its default user is always an administrator.
        let by_image = kind.protocol == Protocol::Amqp
            && !family.files.iter().any(|file| file.content.contains("rabbitmq_definitions"));
        (is_admin || by_image) && rights < Rights::Superuser
    });
    if is_fixed {
        let message = format!("`{name}` of `{}` stays an administrator: its image makes it one", service.name);
        let help = match kind.protocol {
            Protocol::Amqp => "the official image's login can have less: name that image",
            _ => "have the app log in by a name of its own in production too",
        };
        expect.diagnostics.push(
            Diagnostic::warning("rights-fixed", message).at(origin, format!("asks for `{}`", rights.name())).help(help),
        );
        user.rights = Some(Rights::Superuser);
    }
}

//! A Compose service that may be a pooler: its variables, arguments and files, and the hosts by which apps reach it.

use super::load::Loader;
use super::mounts::mounts;
use super::value::Value;
use super::{backing, service, variables};
use crate::manifest::combine::poolers::{Pooler, of_image};
use crate::manifest::declare::container::plain_words;
use crate::model::App;

/// The pooler, if an active service runs a pooler's image.
pub(super) fn read(loader: &mut Loader<'_>, whole: &Value, app: &App, value: &Value) -> Option<Pooler> {
    let family = of_image(app.image.as_deref()?)?;
    if !service::is_active(loader, value) {
        return None;
    }
    let mut hosts = vec![app.name.clone()];
    let text = |key: &str| value.get(key).and_then(Value::as_str).map(str::to_owned);
    hosts.extend(["container_name", "hostname"].into_iter().filter_map(text));
    for (_, network) in value.get("networks").map(Value::entries).unwrap_or_default() {
        let aliases = network.get("aliases").map(Value::items).unwrap_or_default();
        hosts.extend(aliases.iter().filter_map(Value::as_str).map(str::to_owned));
    }
    let declared = variables::declared(loader, &app.name, value);
    let mut told: Vec<(String, String)> = declared.into_iter().map(|one| (one.name, one.text.text)).collect();
    let arguments = ["entrypoint", "command"].into_iter().filter_map(|key| value.get(key).and_then(backing::words));
    let words = arguments.filter_map(|words| plain_words(&words)).flatten();
    told.extend(words.map(|word| (String::new(), word)));
    for mount in mounts(loader, whole, value) {
        // A file that cannot be read adds nothing. A pooler is not started, so the missing file does no harm.
        for file in mount.files(loader.input.project).unwrap_or_default() {
            told.push((String::new(), String::from_utf8_lossy(&file.content).into_owned()));
        }
    }
    Some(Pooler { app: app.name.clone(), family: Some(family), hosts, configuration: told, origin: app.origin.clone() })
}

//! `devenv url [SERVICE]`: the URL by which an app, or the administrator, reaches a service.

use crate::cli::{Global, Url};
use crate::environment::checkout::{self, Opened, Wish};
use crate::environment::env_files;
use crate::environment::session::{Project, unknown_service};
use crate::machine::clipboard;
use crate::model::{Diagnostic, Exit, Failure};
use crate::plan::{DesiredService, render_fields};
use crate::ui::Printer;
use std::path::PathBuf;

/// Runs the command.
pub(crate) async fn run(global: &Global, files: &[PathBuf], url: &Url, printer: &Printer) -> Result<(), Failure> {
    let wish = Wish::to_use(files);
    let Opened { mut project, observed, .. } = checkout::open(global, &wish, printer).await?;
    let desired = env_files::as_it_runs(&mut project, &observed)?;
    let service = chosen(&desired.services, url.service.as_deref())?;
    let text = text_of(&project, service, url.admin)?;
    if url.copy {
        let program = copy(&text, &project)?;
        printer.line(&format!("the URL of {} is in the clipboard ({program})", service.name));
        return Ok(());
    }
    printer.data(&format!("{text}\n"))
}

/// The named service, or the only service if no name is given.
fn chosen<'s>(services: &'s [DesiredService], name: Option<&str>) -> Result<&'s DesiredService, Failure> {
    let names = || services.iter().map(|service| service.name.as_str());
    match (name, services) {
        (Some(name), _) => services
            .iter()
            .find(|service| service.name == name)
            .ok_or_else(|| unknown_service(name, services.iter().map(|service| service.name.as_str()))),
        (None, [one]) => Ok(one),
        (None, _) => {
            let list = names().collect::<Vec<_>>().join(", ");
            let diagnostic = Diagnostic::error("service-missing", "name the service whose URL you want")
                .because(if list.is_empty() { "there are none".to_owned() } else { format!("there are: {list}") });
            let diagnostic = match names().next() {
                Some(first) => diagnostic.help(format!("`devenv url {first}`")),
                None => diagnostic,
            };
            Err(Failure::new(Exit::Usage, diagnostic))
        }
    }
}

/// The URL with the app's login, or the administrator's.
fn text_of(project: &Project, service: &DesiredService, admin: bool) -> Result<String, Failure> {
    let failed = |diagnostic: Diagnostic| Failure::new(Exit::Failed, diagnostic.at(&service.origin, "declared here"));
    let endpoint = if admin {
        // A broker with a management API has the administrator's login too, but at the broker's own port.
        let of_broker = service.management.as_ref().and_then(|management| {
            let own = service.endpoints.first()?;
            Some(crate::model::Endpoint {
                user: management.user.clone(),
                password: management.password.clone(),
                ..own.clone()
            })
        });
        service.admin.clone().or(of_broker).ok_or_else(|| {
            let message = format!("{} has no administrator's login, only the app's", service.name);
            failed(Diagnostic::error("no-administrator", message).help(format!("`devenv url {}`", service.name)))
        })?
    } else {
        service
            .endpoints
            .first()
            .cloned()
            .ok_or_else(|| failed(Diagnostic::error("no-endpoint", format!("{} has no address", service.name))))?
    };
    let unusable =
        |why: String| failed(Diagnostic::error("no-url", format!("{} has no URL", service.name)).because(why));
    let kind = project.kinds().get(&service.kind).ok_or_else(|| unusable("its kind is not known".to_owned()))?;
    let fields = render_fields(kind, &endpoint).map_err(unusable)?;
    fields.get("url").map(|url| url.text.clone()).ok_or_else(|| unusable(format!("{} names no such field", kind.title)))
}

/// Puts the URL into the clipboard. Returns the name of the program that did it.
fn copy(text: &str, project: &Project) -> Result<&'static str, Failure> {
    clipboard::copy(text, &project.reading.root).map_err(|why| {
        let diagnostic = Diagnostic::error("no-clipboard", "no program here can copy text to the clipboard");
        let diagnostic = if why.is_empty() { diagnostic } else { diagnostic.because(why) };
        let help = "install wl-copy (wl-clipboard), xclip or xsel, or omit --copy to print the URL";
        Failure::new(Exit::Failed, diagnostic.help(help))
    })
}

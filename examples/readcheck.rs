#![allow(clippy::all, missing_docs, clippy::print_stdout, clippy::print_stderr, clippy::exit, clippy::unwrap_used)]
fn main() {
    let json = std::env::args().any(|a| a == "--json");
    let request = devenv::manifest::Request {
        folder: std::env::current_dir().unwrap(),
        environment: std::env::vars().collect(),
        ..Default::default()
    };
    match devenv::manifest::read(&request) {
        Ok(r) => {
            let more = devenv::manifest::refusals(&r.stack, &r.kinds, false);
            if json {
                println!("{:#}", devenv::manifest::json(&r, &more));
            } else {
                for l in devenv::manifest::lines(&r) {
                    println!("{l}");
                }
            }
            for d in r.diagnostics.iter().chain(&more) {
                eprintln!("{:?} {} {:?} {}", d.severity, d.message, d.origin, d.label);
            }
            std::process::exit(if r.has_unreadable() { 3 } else { 0 });
        }
        Err(f) => {
            for d in &f.diagnostics {
                eprintln!("{} {:?}", d.message, d.notes);
            }
            std::process::exit(f.exit as i32)
        }
    }
}

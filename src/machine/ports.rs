//! The processes that listen on ports of this machine.

use super::ask::ask;
use super::program::{OnPath, Programs};
use std::fmt;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::path::Path;
use std::time::Duration;

/// How long a program may take to say which process listens.
const LIMIT: Duration = Duration::from_secs(10);

/// The process that holds a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// Its process id.
    pub pid: u32,
    /// Its program's name.
    pub program: String,
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (process {})", self.program, self.pid)
    }
}

/// Whether a server could listen there now. Tested by listening for a moment.
pub fn is_free(address: IpAddr, port: u16) -> bool {
    TcpListener::bind(SocketAddr::new(address, port)).is_ok()
}

/// The process that listens on a port, as far as the system tells this user.
/// Linux: `/proc/net/tcp*` names the socket, `/proc/PID/fd` its owner. Elsewhere: `lsof`.
pub fn holder_of(port: u16) -> Option<Holder> {
    if cfg!(target_os = "linux") { linux::holder_of(port) } else { lsof(port) }
}

fn lsof(port: u16) -> Option<Holder> {
    let programs = Programs::seen_from(Path::new("."));
    let OnPath::Machine(lsof) = programs.find("lsof") else { return None };
    let mut command = programs.command(&lsof);
    command.args(["-nP", "-sTCP:LISTEN", "-Fpc", &format!("-iTCP:{port}")]).current_dir("/");
    let answer = ask(&mut command, LIMIT).ok()?;
    let field = |letter| answer.out.lines().find_map(|line| line.strip_prefix(letter)).map(str::to_owned);
    Some(Holder { pid: field('p')?.parse().ok()?, program: field('c')? })
}

mod linux {
    use super::Holder;
    use std::fs;

    pub(super) fn holder_of(port: u16) -> Option<Holder> {
        let inodes: Vec<String> = ["/proc/net/tcp", "/proc/net/tcp6"]
            .iter()
            .filter_map(|table| fs::read_to_string(table).ok())
            .flat_map(|text| listening_inodes(&text, port))
            .collect();
        let processes = fs::read_dir("/proc").ok()?;
        processes.filter_map(Result::ok).find_map(|entry| {
            let pid: u32 = entry.file_name().to_str()?.parse().ok()?;
            let mut sockets = fs::read_dir(entry.path().join("fd")).ok()?;
            let holds = |link: std::path::PathBuf| {
                link.to_str().is_some_and(|link| inodes.iter().any(|inode| link == format!("socket:[{inode}]")))
            };
            sockets.any(|fd| fd.and_then(|fd| fs::read_link(fd.path())).is_ok_and(holds)).then_some(())?;
            let program = fs::read_to_string(entry.path().join("comm")).ok()?.trim().to_owned();
            Some(Holder { pid, program })
        })
    }

    /// Lines of `/proc/net/tcp`: number, local address as `0100007F:1538`, remote, state (`0A` listens), …, inode tenth.
    fn listening_inodes(table: &str, port: u16) -> Vec<String> {
        let ending = format!(":{port:04X}");
        table
            .lines()
            .filter_map(|line| {
                let fields: Vec<&str> = line.split_ascii_whitespace().collect();
                let listens = fields.get(1)?.ends_with(&ending) && *fields.get(3)? == "0A";
                listens.then(|| fields.get(9).map(|inode| (*inode).to_owned())).flatten()
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    #[test]
    fn a_port_in_use_is_not_free_and_its_process_is_named() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        assert!(!is_free(Ipv4Addr::LOCALHOST.into(), port));
        assert_eq!(holder_of(port).map(|holder| holder.pid), Some(std::process::id()));
    }
}

//! The real PostgreSQL, with a cluster in a temporary folder that is reached through a socket there.

use std::{
    os::unix::{
        fs::{PermissionsExt, chown},
        process::CommandExt,
    },
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        Arc, Mutex, PoisonError, Weak,
        atomic::{AtomicU32, Ordering},
    },
};

use super::wait_until;

/// A cluster, which lives as long as the value.
pub struct Postgres {
    folder: tempfile::TempDir,
    server: Mutex<Child>,
    /// The port at 127.0.0.1 where it speaks TLS, if it does.
    port: Option<u16>,
    databases: AtomicU32,
}

/// Who runs it: it refuses root.
fn user() -> Option<(u32, u32)> {
    let id = |what: &str| {
        let output = Command::new("id").args([what, "postgres"]).output().unwrap();
        String::from_utf8(output.stdout).unwrap().trim().parse().expect("a user called postgres")
    };
    let own = Command::new("id").arg("-u").output().unwrap().stdout;
    (own == b"0\n").then(|| (id("-u"), id("-g")))
}

/// A program of PostgreSQL, which Debian keeps out of PATH.
fn program(name: &str) -> Option<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let versions = versions.map(|version| version.path().join("bin"));
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut all = versions.chain(std::env::split_paths(&path)).map(|folder| folder.join(name));
    all.find(|path| path.exists())
}

impl Postgres {
    /// The one that all tests of this process share, as long as one of them needs it; none if there is no PostgreSQL
    /// here. In continuous integration there has to be.
    pub fn shared() -> Option<Arc<Self>> {
        static SHARED: Mutex<Weak<Postgres>> = Mutex::new(Weak::new());
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = shared.upgrade() {
            return Some(known);
        }
        let new = Arc::new(Self::start()?);
        *shared = Arc::downgrade(&new);
        Some(new)
    }

    /// One of its own.
    pub fn start() -> Option<Self> {
        Self::begin(None)
    }

    /// One that speaks TLS at 127.0.0.1, with `server.pem` and `server.key` of the folder `certificates`.
    pub fn start_secure(certificates: &Path) -> Option<Self> {
        Self::begin(Some(certificates))
    }

    fn begin(certificates: Option<&Path>) -> Option<Self> {
        let is_here = program("initdb").is_some();
        assert!(is_here || std::env::var_os("CI").is_none(), "PostgreSQL is missing here");
        if !is_here {
            eprintln!("skipped: there is no PostgreSQL");
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        if let Some((user, group)) = user() {
            chown(folder.path(), Some(user), Some(group)).unwrap();
        }
        let mut made = Self::command(&folder, "initdb");
        made.args(["-D", "data", "-A", "trust", "-U", "forge", "-E", "UTF8", "--no-sync"]);
        let output = made.stdout(Stdio::null()).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let port = certificates.map(|certificates| {
            for name in ["server.pem", "server.key"] {
                let path = folder.path().join(name);
                std::fs::copy(certificates.join(name), &path).unwrap();
                std::fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).unwrap();
                if let Some((user, group)) = user() {
                    chown(&path, Some(user), Some(group)).unwrap();
                }
            }
            std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
        });
        let server = Mutex::new(Self::serve(&folder, port));
        let new = Self { folder, server, port, databases: AtomicU32::new(0) };
        new.wait();
        Some(new)
    }

    fn command(folder: &tempfile::TempDir, name: &str) -> Command {
        let mut command = Command::new(program(name).expect("a program of PostgreSQL"));
        command.current_dir(folder.path()).stdin(Stdio::null());
        if let Some((user, group)) = user() {
            command.uid(user).gid(group);
        }
        command
    }

    fn serve(folder: &tempfile::TempDir, port: Option<u16>) -> Child {
        let mut server = Self::command(folder, "postgres");
        server.args(["-D", "data", "-c", "fsync=off"]);
        match port {
            None => drop(server.args(["-c", "listen_addresses="])),
            Some(port) => {
                let path = |name: &str| folder.path().join(name).display().to_string();
                server.args([
                    "-c",
                    "listen_addresses=127.0.0.1",
                    "-p",
                    &port.to_string(),
                    "-c",
                    "ssl=on",
                ]);
                server.args(["-c", &format!("ssl_cert_file={}", path("server.pem"))]);
                server.args(["-c", &format!("ssl_key_file={}", path("server.key"))]);
            }
        }
        server.arg("-k").arg(folder.path()).stderr(Stdio::null()).spawn().unwrap()
    }

    fn wait(&self) {
        wait_until("PostgreSQL answers", || self.ask("postgres", "SELECT 1").is_some());
    }

    /// What the database called `name` answers to `question`.
    pub fn ask(&self, name: &str, question: &str) -> Option<String> {
        let mut psql = Self::command(&self.folder, "psql");
        psql.arg("-h").arg(self.folder.path()).args(["-U", "forge", "-d", name, "-qAtc", question]);
        psql.args(self.port.map(|port| format!("--port={port}")));
        let output = psql.output().unwrap();
        let said = String::from_utf8(output.stdout).unwrap().trim().to_owned();
        output.status.success().then_some(said)
    }

    /// The address of a new database.
    pub fn database(&self) -> String {
        let name = format!("queue{}", self.databases.fetch_add(1, Ordering::SeqCst));
        self.ask("postgres", &format!("CREATE DATABASE {name}")).expect("a new database");
        match self.port {
            Some(port) => format!("postgres://forge@127.0.0.1:{port}/{name}?sslmode=require"),
            None => format!("postgres:///{name}?user=forge&host={}", self.folder.path().display()),
        }
    }

    /// Ends it as a power cut does, and starts it again.
    pub fn crash(&self) {
        let mut server = self.server.lock().unwrap();
        signal(&mut server, "-QUIT");
        *server = Self::serve(&self.folder, self.port);
        drop(server);
        self.wait();
    }
}

fn signal(server: &mut Child, signal: &str) {
    let pid = server.id().to_string();
    drop(Command::new("kill").args([signal, &pid]).status());
    drop(server.wait());
}

impl Drop for Postgres {
    fn drop(&mut self) {
        signal(self.server.get_mut().unwrap_or_else(PoisonError::into_inner), "-QUIT");
    }
}

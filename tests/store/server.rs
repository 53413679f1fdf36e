//! A PostgreSQL on loopback, in a folder of its own. It ends with the process that started it, by whatever cause that ends.

use std::{
    env, fs,
    io::Write as _,
    net::{Ipv4Addr, TcpListener, TcpStream},
    os::unix::{
        fs::{PermissionsExt as _, chown},
        process::CommandExt as _,
    },
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::OnceLock,
    thread,
    time::{Duration, Instant},
};

/// Far more than starting takes on an idle machine.
const DEADLINE: Duration = Duration::from_mins(1);

pub const PASSWORD: &str = "p@ss/word";

/// Waits on a pipe whose other end the owner alone holds. A line on it ends the program; the pipe's end does too, and takes the folder
/// away.
const SUPERVISE: &str = r#"exec 3<&0 </dev/null >>"$0/log" 2>&1
"$@" 3<&- &
program=$!
stays=
read -r stays <&3
kill -QUIT "$program"
wait "$program"
[ -n "$stays" ] || rm -rf "$0"
"#;

pub struct Server {
    folder: tempfile::TempDir,
    port: u16,
    /// Whether what it has committed is on the disk: what is tested needs no disk, what is measured does.
    is_durable: bool,
    shell: Option<Child>,
}

impl Server {
    /// The one that all tests of this process share. A static is never dropped: it ends as its pipe is closed.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Server> = OnceLock::new();
        SHARED.get_or_init(Self::start)
    }

    pub fn start() -> Self {
        Self::start_as(false)
    }

    /// One that commits to the disk, as those of others do.
    #[allow(dead_code, reason = "only benches measure")]
    pub fn start_durable() -> Self {
        Self::start_as(true)
    }

    fn start_as(is_durable: bool) -> Self {
        let folder = tempfile::Builder::new().prefix("store-postgres-").tempdir().unwrap();
        if let Some((user, group)) = unprivileged() {
            chown(folder.path(), Some(user), Some(group)).unwrap();
        }
        fs::write(folder.path().join("password"), PASSWORD).unwrap();
        let mut server = Self { port: free_port(), folder, is_durable, shell: None };
        let password = format!("--pwfile={}", server.folder.path().join("password").display());
        let made = as_unprivileged(&program("initdb"))
            .arg("--pgdata")
            .arg(server.data())
            .args(["--username=operator", "--auth=scram-sha-256", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync"])
            .arg(password)
            .current_dir("/")
            .output()
            .unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        server.make_certificate();
        server.start_again();
        server
    }

    fn make_certificate(&self) {
        let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
        fs::write(self.certificate(), made.cert.pem()).unwrap();
        let key = self.data().join("server.key");
        fs::write(&key, made.signing_key.serialize_pem()).unwrap();
        fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
        if let Some((user, group)) = unprivileged() {
            chown(key, Some(user), Some(group)).unwrap();
        }
    }

    /// That of its TLS, which is its own authority.
    pub fn certificate(&self) -> PathBuf {
        self.data().join("server.crt")
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    pub fn start_again(&mut self) {
        let postgres = as_unprivileged(&program("postgres"));
        let shell = Command::new("sh")
            .args(["-c", SUPERVISE])
            .arg(self.folder.path())
            .arg(postgres.get_program())
            .args(postgres.get_args())
            .arg("-D")
            .arg(self.data())
            .args(["-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=", "-c", "max_connections=200"])
            .args(["-c", &format!("port={}", self.port), "-c", "ssl=on"])
            .args(["-c", if self.is_durable { "fsync=on" } else { "fsync=off" }])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .current_dir("/")
            // ^C goes to the whole group of the terminal: the server ends when its owner does, and not before.
            .process_group(0)
            .spawn()
            .unwrap();
        self.shell = Some(shell);
        let started = Instant::now();
        while !self.answers() {
            let log = || fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
            assert!(started.elapsed() < DEADLINE, "PostgreSQL does not start: {}", log());
            thread::sleep(Duration::from_millis(20));
        }
    }

    fn answers(&self) -> bool {
        let log = fs::read_to_string(self.folder.path().join("data/postmaster.pid")).unwrap_or_default();
        log.contains("ready") && TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).is_ok()
    }

    pub fn stop(&mut self) {
        let mut shell = self.shell.take().unwrap();
        shell.stdin.take().unwrap().write_all(b"stays\n").unwrap();
        shell.wait().unwrap();
    }

    pub fn address(&self, database: &str) -> String {
        format!(
            "postgres://operator:{}@127.0.0.1:{}/{database}",
            PASSWORD.replace('@', "%40").replace('/', "%2F"),
            self.port
        )
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(mut shell) = self.shell.take() {
            drop(shell.stdin.take());
            let _ = shell.wait();
        }
    }
}

fn free_port() -> u16 {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port()
}

/// Debian has the server's programs in no folder of the PATH.
fn program(name: &str) -> PathBuf {
    let path = env::var_os("PATH").unwrap_or_default();
    let on_path = env::split_paths(&path).map(|folder| folder.join(name));
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let packaged = versions.map(|version| version.path().join("bin").join(name));
    let found = on_path.chain(packaged).find(|program| program.is_file());
    found.unwrap_or_else(|| panic!("{name} is missing: run .ci/packages.sh"))
}

/// PostgreSQL refuses to run as root.
fn unprivileged() -> Option<(u32, u32)> {
    (id(&["-u"]) == 0).then(|| (id(&["-u", "postgres"]), id(&["-g", "postgres"])))
}

fn id(arguments: &[&str]) -> u32 {
    let output = Command::new("id").args(arguments).output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().parse().unwrap()
}

fn as_unprivileged(program: &Path) -> Command {
    let Some((user, group)) = unprivileged() else { return Command::new(program) };
    let mut command = Command::new("setpriv");
    command.args([format!("--reuid={user}"), format!("--regid={group}"), "--clear-groups".to_owned()]).arg(program);
    command
}

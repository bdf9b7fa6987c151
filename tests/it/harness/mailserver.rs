//! A mail server, and a real one: Exim, one process for each connection, delivering into a mailbox that tests read. What it does
//! out of the ordinary (greylisting, falling silent, offering no encryption) its own configuration makes it do.

use std::{
    net::{SocketAddr, TcpListener, TcpStream},
    os::unix::{
        fs::{MetadataExt, PermissionsExt, chown},
        process::CommandExt,
    },
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread::JoinHandle,
    time::Duration,
};

use enlist::config::MailServer as Route;

use super::{
    certificates::{Company, Issued},
    folder::TempFolder,
};

/// Whoever may run Exim with a configuration of their own: anybody but root, whose rights it would use.
const NOBODY: u32 = 65_534;
const USER: &str = "enlist";
const PASSWORD: &str = "a pass/word:@%";
/// The password as it stands in an address.
const PASSWORD_IN_URL: &str = "a%20pass%2Fword%3A%40%25";

/// How connections are encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encryption {
    Implicit,
    StartTls,
    /// STARTTLS is not offered, or the offer is removed on the way.
    Stripped,
}

/// A mail server.
pub struct MailServer {
    folder: TempFolder,
    encryption: Encryption,
    address: SocketAddr,
    door: Option<Door>,
    connections: Arc<AtomicUsize>,
}

/// What lets connections in while the server runs.
struct Door {
    is_closed: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

/// A mail as it arrived.
#[derive(Debug, Clone)]
pub struct Arrived {
    pub text: String,
}

impl Arrived {
    /// A header of the message, unfolded.
    pub fn header(&self, name: &str) -> String {
        let head = self.text.split("\n\n").next().unwrap().replace("\n ", " ").replace("\n\t", " ");
        let found = head.lines().find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
        });
        found.unwrap_or_default()
    }
}

impl MailServer {
    /// A server that is running, with a certificate for `localhost` of a company that only those know who are told.
    pub fn start(encryption: Encryption) -> Self {
        let company = Company::new();
        let issued = company.issue("localhost");
        Self::start_as(encryption, &company, &issued)
    }

    /// The same with another certificate.
    pub fn start_as(encryption: Encryption, company: &Company, issued: &Issued) -> Self {
        let folder = TempFolder::new("exim");
        install(&folder, encryption, issued);
        std::fs::write(folder.path().join("company.pem"), company.pem()).unwrap();
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let mut server = Self { folder, encryption, address, door: None, connections: Arc::default() };
        server.open();
        server
    }

    /// How the program is told to use this server: with user and password, and with the company's certificate.
    pub fn route(&self) -> Route {
        let scheme = if self.encryption == Encryption::Implicit { "smtps" } else { "smtp" };
        Route {
            url: format!("{scheme}://{USER}:{PASSWORD_IN_URL}@localhost:{}", self.address.port()),
            roots: Some(self.folder.path().join("company.pem")),
            // For busy machines; whoever wants to see it run out sets a shorter one.
            patience: Duration::from_secs(30),
        }
    }

    /// Lets connections in, at the same port as before.
    pub fn open(&mut self) {
        let listener = TcpListener::bind(self.address).unwrap();
        let is_closed = Arc::new(AtomicBool::new(false));
        let (flag, connections) = (Arc::clone(&is_closed), Arc::clone(&self.connections));
        let (folder, encryption) = (self.folder.path().to_owned(), self.encryption);
        let thread = std::thread::spawn(move || {
            while let Ok((stream, _)) = listener.accept() {
                if flag.load(Ordering::SeqCst) {
                    return;
                }
                connections.fetch_add(1, Ordering::SeqCst);
                serve(&folder, encryption, stream);
            }
        });
        self.door = Some(Door { is_closed, thread });
    }

    /// Refuses connections from here on. Those that are there go on.
    pub fn close(&mut self) {
        let Some(door) = self.door.take() else { return };
        door.is_closed.store(true, Ordering::SeqCst);
        // Wakes the thread, which then looks.
        drop(TcpStream::connect(self.address));
        door.thread.join().unwrap();
    }

    /// How many connections there were.
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    /// Does something out of the ordinary (`greylist`, `hang`, `pause`, `full`) until it is told to stop.
    pub fn set(&self, what: &str, is_on: bool) {
        let path = self.folder.path().join(what);
        if is_on {
            std::fs::write(path, "").unwrap();
        } else {
            std::fs::remove_file(path).unwrap();
        }
    }

    /// The mails that arrived, oldest first.
    pub fn mailbox(&self) -> Vec<Arrived> {
        let Ok(entries) = std::fs::read_dir(self.folder.path().join("mailbox/new")) else { return Vec::new() };
        let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
        paths.sort();
        paths.into_iter().map(|path| Arrived { text: std::fs::read_to_string(path).unwrap() }).collect()
    }

    /// Waits until so many mails have arrived: a server delivers after it has taken a mail.
    pub async fn wait_for(&self, count: usize) -> Vec<Arrived> {
        let began = std::time::Instant::now();
        loop {
            let found = self.mailbox();
            if found.len() >= count {
                return found;
            }
            assert!(began.elapsed() < Duration::from_secs(20), "{} of {count} mails came: {}", found.len(), self.log());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// What the server wrote into its logs.
    pub fn log(&self) -> String {
        let Ok(entries) = std::fs::read_dir(self.folder.path().join("log")) else { return String::new() };
        entries.map(|entry| std::fs::read_to_string(entry.unwrap().path()).unwrap()).collect()
    }
}

impl Drop for MailServer {
    fn drop(&mut self) {
        self.close();
    }
}

fn install(folder: &TempFolder, encryption: Encryption, issued: &Issued) {
    let path = folder.path();
    for name in ["spool", "log", "mailbox"] {
        std::fs::create_dir(path.join(name)).unwrap();
    }
    std::fs::write(path.join("server.pem"), issued.certificate.to_pem().unwrap()).unwrap();
    std::fs::write(path.join("server.key"), issued.key.private_key_to_pem_pkcs8().unwrap()).unwrap();
    std::fs::write(path.join("exim.conf"), configuration(path, encryption)).unwrap();
    std::fs::set_permissions(path.join("server.key"), std::fs::Permissions::from_mode(0o600)).unwrap();
    if user().0 == NOBODY {
        let names = ["", "spool", "log", "mailbox", "server.pem", "server.key", "exim.conf"];
        for name in &names {
            chown(path.join(name), Some(NOBODY), Some(NOBODY)).unwrap();
        }
    }
}

/// User and group that Exim runs as.
fn user() -> (u32, u32) {
    let own = std::fs::metadata("/proc/self").unwrap();
    if own.uid() == 0 { (NOBODY, NOBODY) } else { (own.uid(), own.gid()) }
}

/// One connection is one process, as under inetd.
fn serve(folder: &Path, encryption: Encryption, stream: TcpStream) {
    let mut command = Command::new("/usr/sbin/exim4");
    command.arg("-C").arg(folder.join("exim.conf")).arg("-bs");
    if encryption == Encryption::Implicit {
        command.arg("-tls-on-connect");
    }
    let (uid, gid) = user();
    if uid == NOBODY {
        command.uid(uid).gid(gid);
    }
    let output = stream.try_clone().unwrap();
    command.stdin(Stdio::from(std::os::fd::OwnedFd::from(stream))).stdout(Stdio::from(std::os::fd::OwnedFd::from(output)));
    let mut child =
        command.stderr(std::fs::File::options().create(true).append(true).open(folder.join("log/stderr")).unwrap()).spawn().expect(
            "Exim is not installed, and the tests need it: run scripts/test, which installs it, or `apt-get install exim4-daemon-light`",
        );
    std::thread::spawn(move || child.wait());
}

fn configuration(folder: &Path, encryption: Encryption) -> String {
    let offer = if encryption == Encryption::Stripped { "" } else { "*" };
    let (folder, (uid, gid)) = (folder.display(), user());
    format!(
        "primary_hostname = mail.test
exim_user = {uid}
exim_group = {gid}
spool_directory = {folder}/spool
log_file_path = {folder}/log/%slog
keep_environment =
host_lookup =
tls_certificate = {folder}/server.pem
tls_privatekey = {folder}/server.key
tls_advertise_hosts = {offer}
auth_advertise_hosts = ${{if eq{{$tls_in_cipher}}{{}}{{}}{{*}}}}
deliver_drop_privilege = true
acl_smtp_rcpt = rcpt
acl_smtp_data = data

begin acl
rcpt:
  deny    message = sign in first
          !authenticated = *
  deny    message = 5.7.1 mail from nobody is not taken
          senders = :
  defer   message = 4.7.1 greylisted, come back later
          condition = ${{if exists{{{folder}/greylist}}}}
  defer   message = 4.2.2 the mailbox is full
          condition = ${{if exists{{{folder}/full}}}}
  deny    message = 5.1.1 there is no such mailbox
          local_parts = nobody
  warn    local_parts = slow
          delay = 30s
  accept
data:
  warn    condition = ${{if exists{{{folder}/hang}}}}
          delay = 30s
  warn    condition = ${{if exists{{{folder}/pause}}}}
          delay = 8s
  accept

begin routers
all:
  driver = accept
  transport = mailbox

begin transports
mailbox:
  driver = appendfile
  directory = {folder}/mailbox
  maildir_format
  return_path_add
  envelope_to_add

begin authenticators
plain:
  driver = plaintext
  public_name = PLAIN
  server_prompts = :
  server_condition = ${{if and{{{{eq{{$auth2}}{{{USER}}}}}{{eq{{$auth3}}{{{PASSWORD}}}}}}}}}
  server_set_id = $auth2
"
    )
}

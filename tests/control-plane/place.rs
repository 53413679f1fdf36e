//! Where a control plane lives: its folder and its ports, which no other one has at the same time.

use std::fs::{self, DirBuilder, File, TryLockError};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use super::error::PlaneError;

/// The first port. The range ends below the node ports of Kubernetes and below the ports that Linux gives to outgoing
/// connections: one of those could sit on a port while its server restarts.
const FIRST_PORT: u16 = 20_000;
const SLOTS: u16 = 5_000;

/// The folder, the ports, and the locks that make them this plane's own.
pub struct Place {
    /// Holds all that the plane writes. Readable by its owner only, as there are tokens in it.
    pub folder: PathBuf,
    /// Whether the folder stays when the plane ends.
    pub lasting: bool,
    /// etcd's port for clients.
    pub etcd_port: u16,
    /// The API server's port.
    pub api_server_port: u16,
    slot: File,
    folder_lock: File,
}

impl Place {
    /// Takes a free pair of ports, and `folder`; without one, a new folder under `run` that goes with the plane.
    pub fn take(run: &Path, folder: Option<&Path>, keep: bool) -> Result<Self, PlaneError> {
        let slots = run.join("slots");
        fs::create_dir_all(&slots).map_err(PlaneError::io("creating", &slots))?;
        // Two checkouts on one machine do not see each other's locks, so they begin at different ports.
        let offset = offset(run);
        for step in 0..SLOTS {
            let number = (offset + step) % SLOTS;
            let own = run.join(number.to_string());
            // A folder that is there already was kept for someone to read.
            if folder.is_none() && own.exists() {
                continue;
            }
            let Some(slot) = try_lock(&slots.join(number.to_string()))? else {
                continue;
            };
            let etcd_port = FIRST_PORT + 2 * number;
            let api_server_port = etcd_port + 1;
            if !(is_free(etcd_port) && is_free(api_server_port)) {
                continue;
            }
            let folder = folder.unwrap_or(&own);
            let folder_lock = take_folder(folder)?;
            return Ok(Self {
                folder: folder.to_owned(),
                lasting: keep || folder != own,
                etcd_port,
                api_server_port,
                slot,
                folder_lock,
            });
        }
        Err(PlaneError::NoPorts)
    }

    /// The locks on the ports and on the folder, for a process to hold too.
    pub fn locks(&self) -> io::Result<(File, File)> {
        Ok((self.slot.try_clone()?, self.folder_lock.try_clone()?))
    }
}

/// Whether a control plane lives in the folder, or still ends there.
pub fn is_in_use(folder: &Path) -> Result<bool, PlaneError> {
    if !folder.exists() {
        return Ok(false);
    }
    Ok(try_lock(&folder.join("lock"))?.is_none())
}

fn offset(run: &Path) -> u16 {
    let mut hasher = DefaultHasher::new();
    run.hash(&mut hasher);
    u16::try_from(hasher.finish() % u64::from(SLOTS)).unwrap_or(0)
}

fn take_folder(folder: &Path) -> Result<File, PlaneError> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(PlaneError::io("creating", folder))?;
    try_lock(&folder.join("lock"))?.ok_or_else(|| PlaneError::InUse(folder.to_owned()))
}

fn try_lock(path: &Path) -> Result<Option<File>, PlaneError> {
    let file = File::create(path).map_err(PlaneError::io("creating", path))?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(source)) => Err(PlaneError::io("locking", path)(source)),
    }
}

fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
}

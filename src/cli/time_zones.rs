//! The time zone data of a command: what is compiled in, or a newer release in a folder.

use super::outcome::CommandFailure;
use crate::{
    controller::TimeZoneReport,
    core::{
        calendar::{ReadZone, TimeZoneData, TzRelease, compiled_in_release, is_zone_name, use_time_zones},
        reason::ReasonCode,
    },
};
use clap::{Args, ValueHint};
use std::{
    ffi::OsString,
    fs::{self, File},
    io::{self, Read},
    path::{Path, PathBuf},
};

/// The largest file of a zone that is read; the largest of any release has 4 KiB.
const LARGEST_ZONE: u64 = 64 * 1024;
/// How many bytes of a file may name its release.
const RELEASE_LINE: u64 = 256;
/// More files and folders than this are no time zones; a release has about 600 zones.
const MOST_ENTRIES: usize = 5_000;
/// The files that say which release a folder has: of the release itself, and of some distributions.
const RELEASE_FILES: [&str; 4] = ["tzdata.zi", "+VERSION", "version", "VERSION"];

/// Which time zone data is used.
#[derive(Clone, Debug, Default, Args)]
pub struct TimeZoneArguments {
    /// A folder with time zone data, such as /usr/share/zoneinfo; it is used if its release is newer than what is compiled in
    #[arg(long, value_name = "FOLDER", env = "TZDIR", hide_env_values = true, global = true, value_hint = ValueHint::DirPath)]
    time_zones: Option<OsString>,
}

/// The time zone data that is in use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ZonesInUse {
    /// What is compiled in; nothing else was asked for.
    CompiledIn,
    /// A folder's.
    Folder(PathBuf, TzRelease),
    /// What is compiled in, as a folder's release is no newer.
    NoNewer(PathBuf, TzRelease),
    /// What is compiled in, as a folder cannot be used.
    Unusable(String),
}

/// Why a folder cannot be used.
#[derive(Debug, thiserror::Error)]
#[error(
    "the time zone data of {} (--time-zones or TZDIR) cannot be used: {problem}; give the folder of a release, such as /usr/share/zoneinfo, or none: release {} is compiled in",
    folder.display(),
    compiled_in_release()
)]
pub struct UnusableFolder {
    folder: PathBuf,
    problem: String,
}

impl TimeZoneArguments {
    /// Takes the newer of the two into use: what is compiled in, or the folder's.
    ///
    /// # Errors
    /// When the folder cannot be used. What is compiled in is in use then.
    pub fn take_into_use(&self) -> Result<ZonesInUse, UnusableFolder> {
        let Some(folder) = self.time_zones.as_ref().filter(|folder| !folder.is_empty()).map(PathBuf::from) else {
            return Ok(ZonesInUse::CompiledIn);
        };
        read(&folder).map_err(|problem| UnusableFolder { folder, problem })
    }
}

impl ZonesInUse {
    /// For the command's version.
    #[must_use]
    pub fn short(&self) -> String {
        let own = compiled_in_release();
        match self {
            Self::CompiledIn | Self::Unusable(_) => format!("time zones {own}"),
            Self::Folder(folder, release) => format!("time zones {release}, of {}", folder.display()),
            Self::NoNewer(folder, release) => {
                format!("time zones {own}; {} has {release}, which is no newer", folder.display())
            }
        }
    }

    /// For the operator's log and its condition.
    #[must_use]
    pub fn report(&self) -> TimeZoneReport {
        let own = compiled_in_release();
        let (release, reason, message) = match self {
            Self::CompiledIn => {
                (own.to_owned(), ReasonCode::CompiledIn, format!("release {own} is used, which is compiled in"))
            }
            Self::Folder(folder, release) => {
                let message = format!("release {release} of {} is used; {own} is compiled in", folder.display());
                (release.to_string(), ReasonCode::Newer, message)
            }
            Self::NoNewer(folder, release) => {
                let message = format!(
                    "release {own} is used, which is compiled in: that of {}, {release}, is no newer",
                    folder.display()
                );
                (own.to_owned(), ReasonCode::CompiledIn, message)
            }
            Self::Unusable(problem) => (own.to_owned(), ReasonCode::Unusable, problem.clone()),
        };
        TimeZoneReport { release, is_as_asked: !matches!(self, Self::Unusable(_)), reason, message }
    }
}

impl From<UnusableFolder> for ZonesInUse {
    /// An operator that did not run would be worse than one with the data that is compiled in, and that says so.
    fn from(error: UnusableFolder) -> Self {
        Self::Unusable(error.to_string())
    }
}

impl From<UnusableFolder> for CommandFailure {
    fn from(error: UnusableFolder) -> Self {
        Self::Usage(error.to_string())
    }
}

fn read(folder: &Path) -> Result<ZonesInUse, String> {
    let release = release(folder)?;
    let own: TzRelease = compiled_in_release().parse().map_err(|error| format!("{error}"))?;
    if release <= own {
        return Ok(ZonesInUse::NoNewer(folder.to_owned(), release));
    }
    let mut zones = Vec::new();
    collect(folder, &mut String::new(), &mut 0, &mut zones)?;
    if zones.is_empty() {
        return Err("there is no time zone file (TZif) in it".to_owned());
    }
    use_time_zones(TimeZoneData::with(&release, zones)).map_err(|error| error.to_string())?;
    Ok(ZonesInUse::Folder(folder.to_owned(), release))
}

fn release(folder: &Path) -> Result<TzRelease, String> {
    if !fs::metadata(folder).map_err(|error| error.to_string())?.is_dir() {
        return Err("it is no folder".to_owned());
    }
    let mut problem = None;
    for name in RELEASE_FILES {
        let beginning = match beginning(&folder.join(name), RELEASE_LINE) {
            Ok(beginning) => beginning,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => {
                problem.get_or_insert_with(|| format!("{name}: {error}"));
                continue;
            }
        };
        let text = String::from_utf8_lossy(&beginning);
        let line = text.lines().next().unwrap_or_default().trim();
        match line.strip_prefix("# version ").unwrap_or(line).parse() {
            Ok(release) => return Ok(release),
            Err(error) => {
                problem.get_or_insert_with(|| format!("{name}: {error}"));
            }
        }
    }
    Err(problem.unwrap_or_else(|| format!("its release cannot be told: it has none of {}", RELEASE_FILES.join(", "))))
}

/// Reads the zones of a folder and of those in it. Links are followed: distributions link one name to another, and the volumes
/// of a cluster consist of links; nothing of a file is shown but what a clock shows.
fn collect(folder: &Path, prefix: &mut String, entries: &mut usize, zones: &mut Vec<ReadZone>) -> Result<(), String> {
    let unreadable = |error: io::Error| format!("{}: {error}", folder.display());
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        *entries += 1;
        if *entries > MOST_ENTRIES {
            return Err(format!("there are more than {MOST_ENTRIES} files in it"));
        }
        let entry = entry.map_err(unreadable)?;
        let Some(name) = entry.file_name().to_str().map(|part| format!("{prefix}{part}")) else { continue };
        // Where links lead round in circles, the names grow too long to be any.
        if !is_zone_name(&name) {
            continue;
        }
        let path = entry.path();
        if fs::metadata(&path).is_ok_and(|metadata| metadata.is_dir()) {
            collect(&path, &mut format!("{name}/"), entries, zones)?;
        } else {
            zones.extend(zone(&name, &path)?);
        }
    }
    Ok(())
}

/// None where it is something else than a zone, and nobody asks for a zone of that name.
fn zone(name: &str, path: &Path) -> Result<Option<ReadZone>, String> {
    let is_known = crate::core::calendar::is_compiled_in(name);
    let of_file = |problem: String| format!("{}: {problem}", path.display());
    let data = match beginning(path, LARGEST_ZONE + 1) {
        Ok(data) => data,
        Err(_) if !is_known => return Ok(None),
        Err(error) => return Err(of_file(error.to_string())),
    };
    if !is_known && !data.starts_with(b"TZif") {
        return Ok(None);
    }
    if data.len() as u64 > LARGEST_ZONE {
        return Err(of_file("it is too large for a time zone".to_owned()));
    }
    ReadZone::read(name, &data).map(Some).map_err(|error| of_file(error.to_string()))
}

/// The first bytes of a file. Anything else, such as a pipe, is not opened: it might never answer.
fn beginning(path: &Path, length: u64) -> io::Result<Vec<u8>> {
    if !fs::metadata(path)?.is_file() {
        return Err(io::Error::other("it is no regular file"));
    }
    let mut bytes = Vec::new();
    File::open(path)?.take(length).read_to_end(&mut bytes)?;
    Ok(bytes)
}

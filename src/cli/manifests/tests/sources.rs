//! Files, folders and standard input.

use super::super::source::{MAX_BYTES, read};
use std::{
    fs,
    io::{self, Read},
    os::unix::fs::symlink,
    path::{Path, PathBuf},
};
use tempfile::TempDir;

fn folder(files: &[(&str, &[u8])]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, content) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
    folder
}

/// The names of what was read, and what could not be, without the folder.
fn names(folder: &Path, paths: &[PathBuf]) -> (Vec<String>, Vec<String>) {
    let (sources, unreadable) = read(paths, &mut io::empty());
    let short =
        |text: &str| text.replace(&format!("{}/", folder.display()), "").replace(&folder.display().to_string(), ".");
    (
        sources.iter().map(|source| short(&source.path)).collect(),
        unreadable.iter().map(|(path, problem)| short(&format!("{path}: {problem}"))).collect(),
    )
}

#[test]
fn folders_are_read_in_the_order_of_names() {
    let folder = folder(&[
        ("b.yaml", b""),
        ("a/z.yml", b""),
        ("a/b/c.json", b""),
        ("readme.md", b""),
        ("x.YAML", b""),
        (".git/config.yaml", b""),
        (".hidden.yaml", b""),
    ]);
    let (read, unreadable) = names(folder.path(), &[folder.path().to_owned()]);
    assert_eq!(read, ["a/b/c.json", "a/z.yml", "b.yaml"]);
    assert_eq!(unreadable, Vec::<String>::new());
}

#[test]
fn a_file_is_read_once_whatever_leads_to_it() {
    let folder = folder(&[("a.yaml", b"a: 1"), ("b.yaml", b"b: 1")]);
    symlink("a.yaml", folder.path().join("c.yaml")).unwrap();
    let paths = [folder.path().join("b.yaml"), folder.path().to_owned(), folder.path().join("b.yaml")];
    assert_eq!(names(folder.path(), &paths).0, ["b.yaml", "a.yaml"]);
}

#[test]
fn each_that_cannot_be_read_has_its_sentence() {
    let folder = folder(&[
        ("binary.yaml", b"a\0b"),
        ("latin.yaml", b"a: \xff"),
        ("empty/readme.md", b""),
        ("mark.yaml", b"\xef\xbb\xbfa: 1"),
    ]);
    fs::create_dir(folder.path().join("loops")).unwrap();
    symlink("..", folder.path().join("loops/up")).unwrap();
    symlink("nowhere", folder.path().join("broken.yaml")).unwrap();
    symlink("itself.yaml", folder.path().join("empty/itself.yaml")).unwrap();
    let all = ["binary.yaml", "latin.yaml", "mark.yaml", "absent.yaml", "empty", "broken.yaml", "loops"];
    let (read, unreadable) = names(folder.path(), &all.map(|name| folder.path().join(name)));
    assert_eq!(read, ["mark.yaml"]);
    assert_eq!(
        unreadable,
        [
            "binary.yaml: it is a binary file, not YAML or JSON",
            "latin.yaml: it is not UTF-8 text (byte 4), as YAML and JSON are",
            "absent.yaml: there is no such file or folder",
            "empty/itself.yaml: it cannot be read: Too many levels of symbolic links (os error 40)",
            "broken.yaml: there is no such file or folder",
            "loops/up: it is a link that leads out of the folder, and is not followed: name it by itself",
        ]
    );
}

#[test]
fn the_mark_at_the_beginning_is_no_part_of_the_text() {
    let folder = folder(&[("mark.yaml", b"\xef\xbb\xbfa: 1")]);
    let (sources, _) = read(&[folder.path().to_owned()], &mut io::empty());
    assert_eq!(sources[0].text, "a: 1");
}

#[test]
fn an_endless_input_ends() {
    let (sources, unreadable) = read(&["-".into()], &mut io::repeat(b'a'));
    assert!(sources.is_empty());
    assert_eq!(unreadable, [("-".into(), "it has more than 64 MiB: split it".to_owned())]);
    let (sources, _) = read(&["-".into(), "-".into()], &mut io::repeat(b'a').take(MAX_BYTES));
    assert_eq!(sources.len(), 1);
}

#[test]
fn links_between_folders_are_no_endless_way() {
    let folder = folder(&[("last/a.yaml", b"")]);
    let place = |name: &str| folder.path().join(name);
    // Each folder leads to the next in two ways: to the last one, in more than anyone could go.
    for level in 0..30 {
        fs::create_dir(place(&format!("{level}"))).unwrap();
        let next = if level == 29 { "../last".to_owned() } else { format!("../{}", level + 1) };
        symlink(&next, place(&format!("{level}/left"))).unwrap();
        symlink(&next, place(&format!("{level}/right"))).unwrap();
    }
    symlink("..", place("last/up")).unwrap();
    symlink(".", place("last/self")).unwrap();
    let (read, unreadable) = names(folder.path(), &[folder.path().to_owned()]);
    assert_eq!((read.len(), unreadable), (1, Vec::new()));
}

#[test]
fn a_folder_of_nothing_but_loops_has_its_sentence() {
    let folder = folder(&[]);
    symlink(".", folder.path().join("self")).unwrap();
    symlink(folder.path(), folder.path().join("again")).unwrap();
    let (read, unreadable) = names(folder.path(), &[folder.path().to_owned()]);
    assert_eq!(read, Vec::<String>::new());
    assert_eq!(unreadable, [".: there is no file in it whose name ends in .yaml, .yml or .json"]);
}

#[test]
fn a_file_that_says_that_it_is_too_large_is_not_read() {
    let folder = folder(&[("large.yaml", b"")]);
    let path = folder.path().join("large.yaml");
    fs::File::options().write(true).open(&path).unwrap().set_len(1 << 30).unwrap();
    let (read, unreadable) = names(folder.path(), &[path]);
    assert_eq!((read.len(), unreadable), (0, vec!["large.yaml: it has more than 64 MiB: split it".to_owned()]));
}

#[test]
fn links_that_lead_out_of_a_folder_are_not_followed() {
    let elsewhere = folder(&[("secret.yaml", b"password: hunter2"), ("more/a.yaml", b"a: 1")]);
    let folder = folder(&[("a.yaml", b"a: 1"), ("..data/b.yaml", b"b: 1")]);
    symlink(elsewhere.path().join("secret.yaml"), folder.path().join("b.yaml")).unwrap();
    symlink(elsewhere.path().join("secret.yaml"), folder.path().join("README")).unwrap();
    symlink(elsewhere.path().join("more"), folder.path().join("c")).unwrap();
    // So Kubernetes mounts a ConfigMap.
    symlink("..data/b.yaml", folder.path().join("d.yaml")).unwrap();
    let (read, unreadable) = names(folder.path(), &[folder.path().to_owned()]);
    assert_eq!(read, ["a.yaml", "d.yaml"]);
    let problem = "it is a link that leads out of the folder, and is not followed: name it by itself";
    assert_eq!(unreadable, [format!("b.yaml: {problem}"), format!("c: {problem}")]);
    let link = folder.path().join("b.yaml");
    assert_eq!(names(folder.path(), &[link]).0, ["b.yaml"]);
}

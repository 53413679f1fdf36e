//! The documents hold together: their links lead somewhere, every design record is listed, and the map is of this house.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs, reason = "they fail a test")]

#[path = "documents/rights.rs"]
mod rights;
#[path = "documents/troubleshooting.rs"]
mod troubleshooting;

use regex::Regex;
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Component, Path, PathBuf},
};
use walkdir::WalkDir;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");
const RECORDS: &str = "docs/design";
/// The parts of a design record, in their order.
const PARTS: [&str; 4] = ["Context", "Decision", "Consequences", "Rejected"];
/// How long a design record is.
const LINES: std::ops::RangeInclusive<usize> = 15..=40;

fn read(path: &str) -> String {
    fs::read_to_string(Path::new(ROOT).join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The Markdown documents of the repository, by their path from its root.
fn documents() -> BTreeMap<String, String> {
    let is_ours = |name: &str| !["target", ".git", "node_modules", "golden"].contains(&name);
    let files = WalkDir::new(ROOT).into_iter().filter_entry(|entry| is_ours(&entry.file_name().to_string_lossy()));
    let markdown = files.map(Result::unwrap).filter(|file| file.path().extension().is_some_and(|end| end == "md"));
    let relative = markdown.map(|file| file.path().strip_prefix(ROOT).unwrap().to_string_lossy().into_owned());
    relative.map(|path| (path.clone(), read(&path))).collect()
}

/// A document without its fenced blocks and quoted code, in which nothing is a link or a heading.
fn prose(document: &str) -> String {
    let mut is_code = false;
    let lines = document.lines().filter(|line| {
        let is_fence = line.trim_start().starts_with("```");
        is_code ^= is_fence;
        !is_code && !is_fence && !line.starts_with("    ")
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// Where the links of a document lead. A link's text may be code, its target is none.
fn links(document: &str) -> Vec<String> {
    let target = Regex::new(r"\]\(([^()\s]+)\)").unwrap();
    target.captures_iter(&prose(document)).map(|found| found[1].to_owned()).collect()
}

/// The anchors of a document's headings, as forges make them.
fn anchors(document: &str) -> BTreeSet<String> {
    let link = Regex::new(r"\[([^\]]*)\]\([^)]*\)").unwrap();
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    let mut anchors = BTreeSet::new();
    let text = prose(document);
    let headings = text.lines().filter(|line| line.starts_with('#'));
    for heading in headings.filter_map(|line| line.trim_start_matches('#').strip_prefix(' ')) {
        let words = link.replace_all(heading.trim(), "$1").to_lowercase();
        let kept = words.chars().filter(|letter| letter.is_alphanumeric() || [' ', '-', '_'].contains(letter));
        let anchor: String = kept.map(|letter| if letter == ' ' { '-' } else { letter }).collect();
        let times = seen.entry(anchor.clone()).or_default();
        anchors.insert(if *times == 0 { anchor } else { format!("{anchor}-{times}") });
        *times += 1;
    }
    anchors
}

/// A path from the root, for one that is written in a document; None where it leads out of the repository.
fn resolved(document: &str, path: &str) -> Option<PathBuf> {
    let mut resolved = PathBuf::from(document);
    resolved.pop();
    for part in Path::new(path).components() {
        match part {
            Component::Normal(name) => resolved.push(name),
            Component::ParentDir => {
                if !resolved.pop() {
                    return None;
                }
            }
            Component::CurDir => {}
            Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    Some(resolved)
}

/// What is wrong with a link of a document; None if it leads somewhere.
fn broken(documents: &BTreeMap<String, String>, document: &str, link: &str) -> Option<String> {
    let (path, anchor) = link.split_once('#').map_or((link, None), |(path, anchor)| (path, Some(anchor)));
    let target = if path.is_empty() { Some(PathBuf::from(document)) } else { resolved(document, path) };
    let Some(target) = target.filter(|target| Path::new(ROOT).join(target).exists()) else {
        return Some(format!("{document}: {link}: there is no such file"));
    };
    let text = documents.get(target.to_str()?);
    let is_found = anchor.is_none_or(|anchor| text.is_some_and(|text| anchors(text).contains(anchor)));
    (!is_found).then(|| format!("{document}: {link}: there is no such heading"))
}

#[test]
fn every_link_leads_somewhere() {
    let documents = documents();
    let mut checked = 0;
    let mut wrong = Vec::new();
    for (document, text) in &documents {
        for link in links(text).iter().filter(|link| !link.contains("://") && !link.starts_with("mailto:")) {
            wrong.extend(broken(&documents, document, link));
            checked += 1;
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
    assert!(checked > 100, "{checked}");
}

/// The file names of the design records.
fn records() -> Vec<String> {
    let documents = documents();
    let names =
        documents.keys().filter_map(|path| path.strip_prefix(RECORDS)?.strip_prefix('/').map(ToOwned::to_owned));
    names.filter(|name| name != "README.md").collect()
}

#[test]
fn every_design_record_is_in_the_index_and_on_the_map() {
    let (index, map) = (links(&read("docs/design/README.md")), links(&read("ARCHITECTURE.md")));
    let records = records();
    for record in &records {
        assert!(index.contains(record), "docs/design/README.md does not list {record}");
        let on_the_map = format!("{RECORDS}/{record}");
        assert!(map.contains(&on_the_map), "ARCHITECTURE.md does not link {on_the_map}");
    }
    assert!(records.len() >= 32, "{records:?}");
}

#[test]
fn every_design_record_has_its_number_and_its_parts() {
    let index = read("docs/design/README.md");
    for (position, record) in records().iter().enumerate() {
        let number = position + 1;
        assert!(record.starts_with(&format!("{number:04}-")), "{record}: the next number is {number:04}");
        let text = read(&format!("{RECORDS}/{record}"));
        let title = text.lines().next().unwrap().strip_prefix(&format!("# {number}. "));
        let title = title.unwrap_or_else(|| panic!("{record} begins with its number and its title"));
        assert!(
            index.contains(&format!("| {number:04} | [{title}]({record}) |\n")),
            "the index has another title than {record}"
        );
        let parts: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("## ")).collect();
        assert_eq!(parts, PARTS, "{record}");
        let lines = text.lines().count();
        assert!(LINES.contains(&lines), "{record} has {lines} lines");
    }
}

/// The first cells of the table in a section of ARCHITECTURE.md: what is quoted in each.
fn names_in_table(section: &str) -> Vec<String> {
    let architecture = read("ARCHITECTURE.md");
    let section = architecture.split_once(&format!("\n## {section}\n")).unwrap().1.split("\n## ").next().unwrap();
    let cells = section.lines().filter_map(|line| line.strip_prefix("| `")?.split(" |").next());
    // `strip_prefix` has taken the first quote away.
    cells.flat_map(|cell| cell.split('`').step_by(2)).map(ToOwned::to_owned).collect()
}

/// The paths that `a/{b,c}.rs` stands for.
fn expanded(path: &str) -> Vec<String> {
    let Some((before, rest)) = path.split_once('{') else { return vec![path.to_owned()] };
    let (names, after) = rest.split_once('}').unwrap();
    names.split(',').map(|name| format!("{before}{name}{after}")).collect()
}

#[test]
fn the_map_shows_what_is_there() {
    let paths: Vec<String> = names_in_table("Map").iter().flat_map(|name| expanded(name)).collect();
    let missing: Vec<&String> =
        paths.iter().filter(|path| !Path::new(ROOT).join(path.trim_end_matches('*')).exists()).collect();
    assert_eq!(missing, Vec::<&String>::new(), "ARCHITECTURE.md's map names what is not there");
    assert!(paths.len() > 40, "{paths:?}");
}

#[test]
fn every_dependency_has_its_reason() {
    let manifest: toml::Table = read("Cargo.toml").parse().unwrap();
    let used =
        ["dependencies", "dev-dependencies"].iter().flat_map(|table| manifest[*table].as_table().unwrap().keys());
    let used: BTreeSet<String> = used.cloned().collect();
    let explained: BTreeSet<String> = names_in_table("Dependencies").into_iter().collect();
    assert_eq!(explained, used, "ARCHITECTURE.md's table of dependencies is that of Cargo.toml");
}

/// What is quoted in a text.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

/// The rows of the tables of a document: of each, its first cell.
fn first_cells(document: &str) -> impl Iterator<Item = &str> {
    document.lines().filter_map(|line| line.strip_prefix("| ")?.split(" | ").next())
}

#[test]
fn the_places_that_contributing_names_are_there() {
    let contributing = read("CONTRIBUTING.md");
    let places = contributing.split_once("\n## Where to add something\n").unwrap().1.split("\n## ").next().unwrap();
    let (mut wrong, mut checked) = (Vec::new(), 0);
    for cell in first_cells(places) {
        let mut file = PathBuf::new();
        for word in quoted(cell).filter(|word| !word.contains('<')) {
            let is_place = word.contains('/') || Path::new(word).extension().is_some();
            if is_place {
                file = if word.contains('/') { PathBuf::from(word) } else { file.with_file_name(word) };
            }
            let path = Path::new(ROOT).join(&file);
            let is_there = if is_place { path.exists() } else { fs::read_to_string(path).unwrap().contains(word) };
            if !is_there {
                wrong.push(format!("{}: {word}", file.display()));
            }
            checked += 1;
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
    assert!(checked > 40, "{checked}");
}

#[test]
fn the_readme_names_the_packages_that_tests_need() {
    let script = read(".ci/packages.sh");
    let list = Regex::new(r"(?m)^programs=\((.*)\)$").unwrap();
    let programs = list.captures(&script).unwrap()[1].split(' ').map(str::to_owned).collect::<Vec<_>>();
    assert!(programs.len() > 2, "{programs:?}");
    let readme = read("README.md");
    let needed = readme.split("\n## Try it\n").nth(1).unwrap().split("\n    make demo\n").next().unwrap();
    for program in programs {
        let (program, _package) = program.split_once(':').unwrap();
        assert!(needed.contains(program), "README.md, Try it: {program} is needed for the tests");
    }
}

#[test]
fn the_supported_versions_are_those_that_are_built_and_tested() {
    let minor = |text: &str, pattern: &str| Regex::new(pattern).unwrap().captures(text).unwrap()[1].to_owned();
    let of_module = |path: &str| minor(&read(path), r"k8s\.io/kubernetes v1\.(\d+)\.");
    let newest = of_module("tests/control-plane/go.mod");
    let oldest = minor(&read("Cargo.toml"), r#"k8s-openapi = .*"v1_(\d+)""#);
    let tested = minor(&read("Makefile"), r"(?m)^OLDEST := 1\.(\d+)$");
    assert_eq!(of_module(&format!("tests/control-plane/1.{tested}/go.mod")), tested);
    let readme = read("README.md").split_whitespace().collect::<Vec<_>>().join(" ");
    for sentence in [
        format!("Kubernetes 1.{oldest} to 1.{newest}"),
        format!("The tests run on 1.{newest}"),
        format!("`make test-oldest` runs those that need a cluster on 1.{tested}"),
    ] {
        assert!(readme.contains(&sentence), "README.md: {sentence}");
    }
    let at_start = format!("KubernetesVersion = KubernetesVersion {{ major: 1, minor: {oldest} }}");
    assert!(read("src/preflight/version.rs").contains(&at_start), "src/preflight/version.rs: {at_start}");
}

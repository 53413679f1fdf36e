//! What the subcommands that work on manifests share.

use super::{
    change::{Comparison, change},
    cluster::{self, NOT_SEEN, Scope, not_seen, unseen_secrets},
    concern::{CatalogueConcern, Concern},
    connection::ConnectionArguments,
    days::whose_days,
    diagnostics::{Excerpts, Finding, MAX_FINDINGS, Severity, say_all},
    judgement::judge,
    manifests::{self, Manifests, ReadOptions},
    moment::MomentArgument,
    outcome::{CommandFailure, Outcome},
    progress::Progress,
    say,
    size::ByteSize,
    suggestions::{also_called, organization},
    terminal::Palette,
};
use crate::{
    api::GROUP,
    core::{
        calendar::Instant,
        name::{InvalidName, dns_label},
        reason::ReasonCode,
    },
    evaluation::{Limits, SecretName},
    offline::{Inventory, Survey, When},
};
use chrono::{DurationRound, TimeDelta, Utc};
use clap::Args;
use std::{
    collections::BTreeSet,
    io::{self, BufWriter, Write},
    mem,
    path::{Path, PathBuf},
};

/// The operator's own namespace, unless it is told otherwise.
pub use crate::installation::OPERATOR_NAMESPACE;

/// Reads the name of a namespace, which becomes a part of URLs.
///
/// # Errors
/// It is none.
pub fn namespace(text: &str) -> Result<String, InvalidName> {
    dns_label(text).map(|()| text.to_owned())
}

/// Where the objects come from.
#[derive(Debug, Args)]
pub struct SourceArguments {
    /// A file, a folder (its *.yaml, *.yml and *.json, and those of the folders in it), or - for standard input; without -f, the
    /// command looks at the cluster, with your own rights
    ///
    /// Objects of other kinds are ignored and counted, except Secrets, from which grants take values. At most 64 MiB in one
    /// file, 256 MiB and 1,000,000 values in all, and values 127 levels deep.
    #[arg(short, long, value_name = "PATH", num_args = 1..)]
    filename: Vec<PathBuf>,
    /// Lays the files over the cluster's objects, as kubectl apply would: a file replaces an object that is already there, which
    /// keeps its status; all other objects stay. What is already wrong in the cluster is not reported again
    #[arg(long, requires = "filename")]
    with_cluster: bool,
    /// With -f: the namespace of objects that name none [default: default]. In a cluster: a namespace in which grants are
    /// looked for [default: all]; may be given several times
    #[arg(short, long = "namespace", value_name = "NAMESPACE", value_delimiter = ',', value_parser = namespace)]
    namespaces: Vec<String>,
    /// The operator's own namespace, as its run has it [default: entitlement-operator; in a cluster, where the operator that
    /// works on it runs]
    #[arg(long, value_name = "NAMESPACE", value_parser = namespace)]
    operator_namespace: Option<String>,
    /// The most that the objects of one organization may come to, as the operator's run has it
    #[arg(long, value_name = "SIZE", default_value_t = ByteSize::ORGANIZATION)]
    organization_bytes: ByteSize,
    /// Whether what lies in the namespaces of grants that the caller may look at is enough.
    #[arg(skip)]
    is_within_reach: bool,
    #[command(flatten)]
    connection: ConnectionArguments,
}

impl SourceArguments {
    /// Those files or, without any, that cluster.
    #[must_use]
    pub fn of(
        filename: &[PathBuf],
        namespaces: Vec<String>,
        operator_namespace: Option<&str>,
        connection: &ConnectionArguments,
    ) -> Self {
        Self {
            filename: filename.to_vec(),
            with_cluster: false,
            is_within_reach: true,
            namespaces,
            operator_namespace: operator_namespace.map(str::to_owned),
            organization_bytes: ByteSize::ORGANIZATION,
            connection: connection.clone(),
        }
    }
}

/// The moment that is looked at.
#[derive(Debug, Args)]
pub struct MomentArguments {
    /// The moment that is looked at: an RFC 3339 time, a date (00:00 where each client is), or a time from now such as +90d,
    /// -12h, +15min, +1mo, +1y or -P1M, by each client's calendar [default: now]
    ///
    /// Objects without a creationTimestamp count as made at it.
    #[arg(long, value_name = "TIME", value_parser = MomentArgument::read, allow_hyphen_values = true)]
    at: Option<MomentArgument>,
}

impl MomentArguments {
    /// The moment.
    #[must_use]
    pub fn moment(&self) -> When {
        let now = this_second();
        self.at.map_or(When::At(now), |at| at.when(now))
    }
}

/// Where the objects come from, and the moment that is looked at.
#[derive(Debug, Args)]
pub struct InputArguments {
    #[command(flatten)]
    source: SourceArguments,
    #[command(flatten)]
    moment: MomentArguments,
}

impl InputArguments {
    /// Says whose day it is that is looked at, where it is another moment for each client. What is rendered has its zone.
    pub fn say_days(&self, examination: &Examination) {
        let clients: Vec<_> = examination.survey.iter().flat_map(|_| examination.manifests.inventory.zones()).collect();
        let zones: BTreeSet<&str> = clients.iter().map(|(_, zone)| zone.name()).collect();
        let days = whose_days(&[Some(self.moment.moment())], clients).filter(|_| zones.len() > 1);
        if let Some(days) = days {
            say(&days);
        }
    }
}

/// What came of the manifests.
pub struct Surveyed {
    /// What was read.
    pub manifests: Manifests,
    /// What it comes to.
    pub survey: Survey,
    /// What could not be seen, in sentences.
    pub not_seen: Vec<String>,
}

/// Manifests, with all that is wrong with them.
pub struct Examination {
    /// What was read.
    pub manifests: Manifests,
    /// What is wrong, in the order of the files and lines.
    pub findings: Vec<Finding>,
    /// How many findings there are beyond those.
    pub left_out: usize,
    /// What it comes to; absent where something could not be read.
    pub survey: Option<Survey>,
}

impl Examination {
    /// Evaluates manifests at a moment.
    #[must_use]
    pub fn of(mut manifests: Manifests, when: impl Into<When>) -> Self {
        let when = when.into();
        let mut findings = mem::take(&mut manifests.findings);
        let survey = is_readable(&findings).then(|| {
            let mut progress = Progress::on_terminal("evaluating organizations");
            manifests.inventory.survey_watched(when, &mut |done, total| progress.step(done, total))
        });
        if let Some(survey) = &survey {
            let known = &manifests.known;
            let is_news = |finding: &Finding| !finding.location.is_in_cluster() || !known.contains(&finding.gist());
            findings.extend(judge(&manifests, survey).into_iter().filter(is_news));
        }
        Self::with(manifests, findings, survey)
    }

    /// Manifests with what reading them found wrong, without evaluating them.
    #[must_use]
    pub fn of_reading(mut manifests: Manifests) -> Self {
        let findings = mem::take(&mut manifests.findings);
        Self::with(manifests, findings, None)
    }

    fn with(manifests: Manifests, mut findings: Vec<Finding>, survey: Option<Survey>) -> Self {
        let left_out = manifests.left_out + findings.len().saturating_sub(MAX_FINDINGS);
        sort(&mut findings);
        findings.truncate(MAX_FINDINGS);
        Self { manifests, findings, left_out, survey }
    }

    /// Leaves out a warning that matters to whoever writes manifests, and not to whoever asks what they come to.
    #[must_use]
    pub fn without(mut self, reason: ReasonCode) -> Self {
        self.findings.retain(|finding| reason != *finding.reason);
        self
    }

    /// Keeps what concerns these organizations; none: all. What is wrong with others is nobody's who asks for these.
    #[must_use]
    pub fn limited_to(mut self, organizations: &BTreeSet<String>, catalogue: CatalogueConcern) -> Self {
        if organizations.is_empty() {
            return self;
        }
        let concern = Concern { inventory: &self.manifests.inventory, organizations, catalogue };
        self.findings.retain(|finding| concern.is_about(finding));
        let inventory = &self.manifests.inventory;
        let chooses = |name: &str| organizations.contains(name);
        let unseen = inventory.unseen(chooses);
        let unseen: Vec<String> = unseen.iter().map(|(namespace, name)| format!("{namespace}/{name}")).collect();
        match self.findings.iter().position(is_of_secrets) {
            Some(index) if unseen.is_empty() => drop(self.findings.remove(index)),
            Some(index) => {
                if let Some(finding) = self.findings.get_mut(index) {
                    finding.message = unseen_secrets(&unseen);
                }
            }
            None => {}
        }
        self
    }

    /// What there is to say of the organization that somebody means. None where something cannot be read, which has been said.
    ///
    /// # Errors
    /// Where nothing can be read at all, or nobody knows which organization is meant.
    pub fn of_organization(
        source: &SourceArguments,
        when: When,
        called: &str,
        catalogue: CatalogueConcern,
    ) -> Result<Option<(Self, String)>, CommandFailure> {
        let examination = Self::of_reading(gather(source, when)?);
        if examination.outcome() == Outcome::Unreadable {
            examination.say();
            return Ok(None);
        }
        examination.about(called, catalogue).map(Some)
    }

    /// Finds the organization that a person means, and says what of all that is wrong concerns it.
    ///
    /// # Errors
    /// There is none, or several may be meant.
    fn about(self, called: &str, catalogue: CatalogueConcern) -> Result<(Self, String), CommandFailure> {
        let directory = self.manifests.inventory.directory();
        let organization = match organization(&directory, called) {
            Ok(organization) => organization.to_owned(),
            // It may be one of those that are wrong.
            Err(unknown) => {
                self.say();
                return Err(unknown);
            }
        };
        if let Some(note) = also_called(&directory, called, &organization) {
            say(&note);
        }
        let limited = self.limited_to(&BTreeSet::from([organization.clone()]), catalogue);
        limited.say();
        Ok((limited, organization))
    }

    /// What could not be seen, in sentences.
    #[must_use]
    pub fn not_seen(&self) -> Vec<String> {
        let unseen = self.findings.iter().filter(|finding| finding.reason == NOT_SEEN);
        unseen.map(|finding| finding.message.clone()).collect()
    }

    /// Whether something in the files is invalid, so that whatever is said leaves it out. What is invalid in a cluster, the
    /// operator leaves out as well.
    #[must_use]
    pub fn is_partial(&self) -> bool {
        let is_lost = |finding: &Finding| finding.severity < Severity::Warning && !finding.location.is_in_cluster();
        let may_be_among_the_rest = self.left_out > 0 && !self.manifests.refused.is_empty();
        may_be_among_the_rest || self.findings.iter().any(is_lost)
    }

    /// How the subcommand ends.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        match self.findings.iter().map(|finding| finding.severity).min() {
            Some(Severity::Unreadable) => Outcome::Unreadable,
            Some(Severity::Error) => Outcome::Refused,
            Some(Severity::Warning) | None => Outcome::Valid,
        }
    }

    /// Says on standard error what is wrong, and what was ignored.
    pub fn say(&self) {
        let excerpts = Excerpts::of(&self.manifests);
        let palette = Palette::of_standard_error();
        let mut output = BufWriter::new(io::stderr().lock());
        // Nothing can be done about a standard error that is closed.
        let _ = say_all(&mut output, &self.findings, self.left_out, &excerpts, palette);
        let _ = output.flush();
        drop(output);
        if self.survey.is_some() {
            say_ignored(&self.manifests, &self.findings);
        }
    }
}

/// Reads the manifests and evaluates them, and says on standard error what is wrong.
///
/// # Errors
/// When that cannot be done, whatever the manifests are.
pub fn survey(arguments: &InputArguments) -> Result<(Outcome, Option<Surveyed>), CommandFailure> {
    let examination = examine(arguments)?;
    examination.say();
    arguments.say_days(&examination);
    let outcome = examination.outcome();
    let not_seen = examination.not_seen();
    let Examination { manifests, survey, .. } = examination;
    Ok((outcome, survey.map(|survey| Surveyed { manifests, survey, not_seen })))
}

/// Reads the manifests and evaluates them.
///
/// # Errors
/// When that cannot be done, whatever the manifests are.
pub fn examine(arguments: &InputArguments) -> Result<Examination, CommandFailure> {
    let when = arguments.moment.moment();
    Ok(Examination::of(gather(&arguments.source, when)?, when))
}

/// Reads the manifests as what comes after others, and evaluates them. Where the others cannot be read, that is what is wrong.
///
/// # Errors
/// When that cannot be done, whatever the manifests are.
pub fn examine_since(arguments: &InputArguments, old: &Path) -> Result<Examination, CommandFailure> {
    let change = change(old, &arguments.source.filename, &arguments.source, arguments.moment.moment())?;
    Ok(match change {
        Comparison::Unreadable(old) => *old,
        Comparison::Read { new, .. } => *new,
    })
}

/// Gathers the objects, of files and folders or of a cluster. Those without a creationTimestamp count as made at `created`.
///
/// # Errors
/// When that cannot be done, whatever the objects are.
pub fn gather(source: &SourceArguments, created: impl Into<When>) -> Result<Manifests, CommandFailure> {
    let created = created.into();
    if source.filename.is_empty() {
        return in_cluster(source, source.namespaces.clone(), created);
    }
    if !source.with_cluster && source.connection.is_given() {
        return Err(CommandFailure::Usage(
            "with -f no cluster is looked at: leave out what says which one, or add --with-cluster".to_owned(),
        ));
    }
    let mut files = read(&source.filename, source, created)?;
    if source.with_cluster && is_readable(&files.findings) {
        // What -n says is where the files' objects lie.
        let cluster = in_cluster(source, Vec::new(), created)?;
        files.known = judge(&cluster, &cluster.inventory.survey(created)).iter().map(Finding::gist).collect();
        files.lay_over(&cluster, created)?;
        let wanted = files.inventory.sources_wanted_since(&cluster.inventory);
        let unseen = look_for(source, wanted, &mut files.inventory)?;
        if !unseen.is_empty() {
            files.findings.retain(|finding| !is_of_secrets(finding));
            let unseen = files.inventory.unseen(|_| true);
            let unseen: Vec<String> = unseen.iter().map(|(namespace, name)| format!("{namespace}/{name}")).collect();
            files.findings.push(not_seen(unseen_secrets(&unseen)));
        }
    }
    Ok(files)
}

/// Looks in the cluster for Secrets that are named by what is not there yet, and returns the names of those that may not be
/// read. Without a cluster there are none.
///
/// # Errors
/// When it cannot be reached.
pub fn look_for(
    source: &SourceArguments,
    wanted: BTreeSet<SecretName>,
    inventory: &mut Inventory,
) -> Result<Vec<String>, CommandFailure> {
    let is_cluster = source.filename.is_empty() || source.with_cluster;
    if !is_cluster || wanted.is_empty() {
        return Ok(Vec::new());
    }
    let sources = cluster::look_for(&source.connection.connection(), wanted)?;
    let unseen = sources.unseen();
    sources.add_to(inventory);
    Ok(unseen)
}

/// Whether a finding is that Secrets were not seen.
fn is_of_secrets(finding: &Finding) -> bool {
    finding.reason == NOT_SEEN && finding.message.contains("the Secrets ")
}

fn in_cluster(source: &SourceArguments, namespaces: Vec<String>, created: When) -> Result<Manifests, CommandFailure> {
    let scope = Scope {
        namespaces,
        is_within_reach: source.is_within_reach,
        operator_namespace: source.operator_namespace.clone(),
        created,
    };
    Ok(limited(cluster::read(&source.connection.connection(), &scope)?, source))
}

/// Gathers the objects of files and folders.
///
/// # Errors
/// When that cannot be done, whatever the objects are.
pub fn read(
    paths: &[PathBuf],
    source: &SourceArguments,
    created: impl Into<When>,
) -> Result<Manifests, CommandFailure> {
    let created = created.into();
    let namespace = match source.namespaces.as_slice() {
        [] => "default",
        [namespace] => namespace,
        _ => {
            return Err(CommandFailure::Usage(
                "objects that name no namespace can lie in one alone: give -n once".to_owned(),
            ));
        }
    };
    let operator_namespace = source.operator_namespace.as_deref().unwrap_or(OPERATOR_NAMESPACE).to_owned();
    let options = ReadOptions { created, namespace: namespace.into(), operator_namespace };
    Ok(limited(manifests::read(paths, &mut io::stdin().lock(), &options)?, source))
}

fn limited(mut manifests: Manifests, source: &SourceArguments) -> Manifests {
    manifests.inventory.limit(Limits { organization_bytes: source.organization_bytes.bytes() });
    manifests
}

/// Whether something can be said of the whole.
#[must_use]
pub fn is_readable(findings: &[Finding]) -> bool {
    findings.iter().all(|finding| finding.severity != Severity::Unreadable)
}

/// In the order of the files and lines.
fn sort(findings: &mut [Finding]) {
    findings.sort_by(|one, other| {
        let order = |finding: &Finding| (finding.location.source, finding.location.span, finding.severity);
        order(one).cmp(&order(other)).then_with(|| one.message.cmp(&other.message))
    });
}

fn say_ignored(manifests: &Manifests, findings: &[Finding]) {
    if manifests.documents.is_empty() && findings.is_empty() {
        say(&format!("there is no object of {GROUP} in what was read"));
    }
    let ignored: Vec<String> = manifests.ignored.iter().map(|(kind, count)| ignored(kind, *count)).collect();
    if !ignored.is_empty() {
        say(&format!("ignored: {}", ignored.join(", ")));
    }
}

fn ignored(kind: &str, count: u64) -> String {
    match kind == manifests::NO_OBJECT && count > 1 {
        true => format!("{count} documents that are no objects of Kubernetes"),
        false => format!("{count} {kind}"),
    }
}

/// Objects carry times of whole seconds, so an evaluation of now looks at one.
#[must_use]
pub fn this_second() -> Instant {
    let now = Utc::now();
    now.duration_trunc(TimeDelta::seconds(1)).unwrap_or(now)
}

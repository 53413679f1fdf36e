//! What the operator checks before it begins. It reports everything that is missing at once, and waits for it.
//!
//! | file | what it knows |
//! |---|---|
//! | `kinds` | whether the CustomResourceDefinitions are those of this version |
//! | `report` | what is missing, as one text with the commands that mend it |
//! | `version` | which versions of Kubernetes the operator is made for |

mod kinds;
mod report;
mod version;

use crate::{
    api::ASSIGNMENT_NAMESPACE,
    connection::{Cause, Connection, ConnectionError},
    controller::leadership::mark::Mark,
    installation::{AccessRight, Duties, RightScope, own_namespace, rights},
};
use futures::{StreamExt, TryStreamExt, stream};
use k8s_openapi::{
    api::{
        authentication::v1::SelfSubjectReview,
        authorization::v1::{ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec},
        core::v1::Namespace,
    },
    apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition,
};
use kube::{
    Api, Client,
    api::{ListParams, ObjectMeta, PostParams},
};
use report::{PreflightProblem, PreflightReport, Setup};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};
use tokio::time::{Instant, sleep};
use version::{KubernetesVersion, OLDEST};

/// How often it is looked whether all is there, while something is missing.
const INTERVAL: Duration = Duration::from_secs(2);
/// What is missing still is told again after this time.
const REMINDER: Duration = Duration::from_mins(1);
/// How many questions are under way at once.
const AT_ONCE: usize = 16;

/// What the operator needs.
#[derive(Debug)]
pub struct Preflight<'a> {
    connection: &'a Connection,
    namespace: String,
    duties: Duties,
    rights: Vec<AccessRight>,
}

impl<'a> Preflight<'a> {
    /// The preflight of an operator with that namespace, for what it does.
    #[must_use]
    pub fn new(connection: &'a Connection, namespace: &str, duties: Duties) -> Self {
        Self { connection, namespace: namespace.to_owned(), rights: rights(&duties), duties }
    }

    /// Waits until nothing is missing that the operator cannot do without, and tells what is. The client by which all that was
    /// found, and what the cluster is called.
    ///
    /// # Errors
    /// When nothing says how the cluster is reached, or that cannot be used.
    pub async fn pass(&self) -> Result<(Client, String), ConnectionError> {
        let (mut client, mut cluster) = self.connection.connect().await?;
        let mut told: Option<(PreflightReport, Instant)> = None;
        let mut before: Option<PreflightReport> = None;
        loop {
            let report = self.look(&client, &cluster).await;
            if !report.blocks() {
                if !report.problems.is_empty() {
                    tracing::warn!("{}", report.text());
                } else if told.is_some() {
                    tracing::info!("nothing is missing any more");
                }
                return Ok((client, cluster));
            }
            match &told {
                // What is being mended right now changes from one look to the next.
                Some((last, _)) if *last != report && before.as_ref() == Some(&report) => {
                    tracing::warn!("{}", report.text());
                    told = Some((report.clone(), Instant::now()));
                }
                Some((last, at)) if at.elapsed() >= REMINDER => {
                    tracing::warn!("{}", report.reminder());
                    told = Some((last.clone(), Instant::now()));
                }
                Some(_) => {}
                None => {
                    tracing::warn!("{}", report.text());
                    told = Some((report.clone(), Instant::now()));
                }
            }
            let is_unreachable = report.problems.iter().any(|problem| matches!(problem, PreflightProblem::Server(_)));
            before = Some(report);
            sleep(INTERVAL).await;
            // What says how it is reached may have been mended.
            if is_unreachable && let Ok(renewed) = self.connection.connect().await {
                (client, cluster) = renewed;
            }
        }
    }

    async fn look(&self, client: &Client, cluster: &str) -> PreflightReport {
        let (cluster, namespace) = (cluster.to_owned(), self.namespace.clone());
        let setup = Setup { cluster, namespace, duties: self.duties.clone(), user: None };
        let mut report = PreflightReport { setup, problems: Vec::new(), leader: None };
        if let Err(cause) = self.fill(client, &mut report).await {
            report.problems = vec![PreflightProblem::Server(cause)];
        }
        report
    }

    /// An error where the API server cannot be asked at all.
    async fn fill(&self, client: &Client, report: &mut PreflightReport) -> Result<(), Cause> {
        report.setup.user = user(client).await?;
        report.problems.extend(outdated(client).await?);
        report.problems.extend(flaws(client).await?);
        let of_grants = namespace(client, ASSIGNMENT_NAMESPACE).await?;
        if let Seen::There(metadata) = &of_grants {
            let leader = Mark::read(metadata).map(|mark| mark.namespace);
            report.leader = leader.filter(|leader| !self.duties.read_only && *leader != self.namespace);
        }
        if self.duties.read_only {
            report.problems.extend(self.missing_rights(client).await?);
            return Ok(());
        }
        let mut own = namespace(client, &self.namespace).await?;
        if matches!(own, Seen::Absent) && report.leader.is_none() && make(client, &self.namespace).await {
            own = Seen::Untold;
        }
        report.problems.extend(own.problem(&self.namespace));
        report.problems.extend(of_grants.problem(ASSIGNMENT_NAMESPACE));
        report.problems.extend(self.missing_rights(client).await?);
        Ok(())
    }

    async fn missing_rights(&self, client: &Client) -> Result<Vec<PreflightProblem>, Cause> {
        let questions = self.rights.iter().enumerate().flat_map(|(index, right)| self.questions(index, right));
        let asked = questions.map(|question| async move { may(client, &question).await.map(|may| (question, may)) });
        let answers: Vec<(AccessQuestion<'_>, bool)> = stream::iter(asked).buffered(AT_ONCE).try_collect().await?;
        let mut missing = Vec::new();
        for (index, right) in self.rights.iter().enumerate() {
            let refused = answers.iter().filter(|(question, may)| question.index == index && !may);
            let mut verbs: BTreeMap<Option<&str>, Vec<&'static str>> = BTreeMap::new();
            for (question, _) in refused {
                let verbs = verbs.entry(question.namespace).or_default();
                if verbs.last() != Some(&question.verb) {
                    verbs.push(question.verb);
                }
            }
            missing.extend(gathered(right, verbs));
        }
        Ok(missing)
    }

    fn questions<'b>(&'b self, index: usize, right: &'b AccessRight) -> impl Iterator<Item = AccessQuestion<'b>> {
        let namespaces: Vec<Option<&str>> = match &right.place {
            RightScope::Cluster => vec![None],
            RightScope::Own => vec![Some(&self.namespace)],
            RightScope::Within(names) => names.iter().map(|name| Some(&**name)).collect(),
        };
        let names: Vec<Option<&String>> =
            if right.names.is_empty() { vec![None] } else { right.names.iter().map(Some).collect() };
        let verbs = right.verbs.iter().copied();
        let in_each =
            namespaces.into_iter().flat_map(move |namespace| verbs.clone().map(move |verb| (namespace, verb)));
        in_each.flat_map(move |(namespace, verb)| {
            names.clone().into_iter().map(move |name| AccessQuestion { index, right, namespace, verb, name })
        })
    }
}

/// Whether the operator may do one thing.
struct AccessQuestion<'a> {
    /// The place of the right in the list of all.
    index: usize,
    right: &'a AccessRight,
    /// None in the whole cluster.
    namespace: Option<&'a str>,
    verb: &'static str,
    name: Option<&'a String>,
}

/// What is missing of a right, by namespace, told once for all namespaces that lack the same.
fn gathered(right: &AccessRight, missing: BTreeMap<Option<&str>, Vec<&'static str>>) -> Vec<PreflightProblem> {
    let mut by_verbs: BTreeMap<Vec<&'static str>, BTreeSet<Arc<str>>> = BTreeMap::new();
    for (namespace, verbs) in missing {
        by_verbs.entry(verbs).or_default().extend(namespace.map(Arc::from));
    }
    let problem = |(verbs, namespaces)| {
        let place = match &right.place {
            RightScope::Within(_) => RightScope::Within(namespaces),
            place => place.clone(),
        };
        PreflightProblem::Right(AccessRight { place, ..right.clone() }, verbs)
    };
    by_verbs.into_iter().map(problem).collect()
}

/// What was found of a namespace.
enum Seen {
    There(Box<ObjectMeta>),
    Absent,
    Terminating,
    /// It may not be seen, which is reported as a missing right.
    Untold,
}

impl Seen {
    fn problem(&self, name: &str) -> Option<PreflightProblem> {
        match self {
            Self::There(_) | Self::Untold => None,
            Self::Absent => Some(PreflightProblem::Namespace(name.to_owned())),
            Self::Terminating => Some(PreflightProblem::Terminating(name.to_owned())),
        }
    }
}

/// What came of a question; None where it is answered otherwise than with what was asked for.
fn told<T>(answer: Result<T, kube::Error>) -> Result<Option<T>, Cause> {
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(error) => match Cause::of(&error) {
            cause if cause.is_of_the_server() => Err(cause),
            cause => {
                tracing::debug!(%cause, "a question is not answered");
                Ok(None)
            }
        },
    }
}

/// Whom the API server takes the operator for.
async fn user(client: &Client) -> Result<Option<String>, Cause> {
    let api: Api<SelfSubjectReview> = Api::all(client.clone());
    let review = told(api.create(&PostParams::default(), &SelfSubjectReview::default()).await)?;
    Ok(review.and_then(|review| review.status?.user_info?.username))
}

/// Said where the API server tells its version, and that is one which nobody tries.
async fn outdated(client: &Client) -> Result<Option<PreflightProblem>, Cause> {
    let version = told(client.apiserver_version().await)?.and_then(|info| KubernetesVersion::read(&info));
    Ok(version.filter(|version| *version < OLDEST).map(PreflightProblem::Outdated))
}

async fn flaws(client: &Client) -> Result<Vec<PreflightProblem>, Cause> {
    let api: Api<CustomResourceDefinition> = Api::all(client.clone());
    let mut problems = Vec::new();
    for name in kinds::names() {
        let Some(found) = told(api.get_opt(&name).await)? else { continue };
        problems.extend(kinds::flaw(&name, found.as_ref()).map(|flaw| PreflightProblem::Kind(name, flaw)));
    }
    Ok(problems)
}

/// Looks in a list, because the operator may list namespaces and may not get one.
async fn namespace(client: &Client, name: &str) -> Result<Seen, Cause> {
    let api: Api<Namespace> = Api::all(client.clone());
    let parameters = ListParams::default().fields(&format!("metadata.name={name}"));
    let Some(list) = told(api.list_metadata(&parameters).await)? else { return Ok(Seen::Untold) };
    Ok(match list.items.into_iter().next() {
        None => Seen::Absent,
        Some(found) if found.metadata.deletion_timestamp.is_some() => Seen::Terminating,
        Some(found) => Seen::There(Box::new(found.metadata)),
    })
}

/// Makes the operator's own namespace, where it may.
async fn make(client: &Client, name: &str) -> bool {
    let api: Api<Namespace> = Api::all(client.clone());
    let made = api.create(&PostParams::default(), &own_namespace(name)).await.is_ok();
    if made {
        tracing::info!(namespace = name, "the operator has made its namespace");
    }
    made
}

/// Whether the operator may do that. Where nobody says so, what it does will show.
async fn may(client: &Client, question: &AccessQuestion<'_>) -> Result<bool, Cause> {
    let AccessQuestion { right, namespace, verb, name, .. } = question;
    let (resource, part) = right.resource.split_once('/').map_or((right.resource, None), |(of, part)| (of, Some(part)));
    let attributes = ResourceAttributes {
        group: Some(right.group.to_owned()),
        resource: Some(resource.to_owned()),
        subresource: part.map(str::to_owned),
        verb: Some((*verb).to_owned()),
        name: name.cloned(),
        namespace: namespace.map(str::to_owned),
        ..ResourceAttributes::default()
    };
    let spec = SelfSubjectAccessReviewSpec { resource_attributes: Some(attributes), non_resource_attributes: None };
    let question = SelfSubjectAccessReview { spec, ..SelfSubjectAccessReview::default() };
    let api: Api<SelfSubjectAccessReview> = Api::all(client.clone());
    let answer = told(api.create(&PostParams::default(), &question).await)?;
    Ok(answer.and_then(|answer| answer.status).is_none_or(|status| status.allowed))
}

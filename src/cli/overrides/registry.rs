//! Reading an override and its decisions in a cluster, with the caller's own rights, and the only request that writes one.

use super::exception::Exception;
use crate::{
    api::{
        ASSIGNMENT_NAMESPACE, EntitlementDefinition, EntitlementOverride, GROUP, Organization, OverrideDecision,
        override_decision::OverrideDecisionSpec,
    },
    cli::{
        cluster::{connect, explain, is_forbidden},
        grant::{FIELD_MANAGER, is_called},
        outcome::CommandFailure,
        suggestions::{unknown, unknown_in},
        terminal::harmless,
    },
    connection::Connection,
    core::{
        approval::{ApprovalPolicy, StatedDecision},
        name,
        source::{SourceId, SourceKind, overrides::decision},
    },
    offline::EntitlementKind,
};
use k8s_openapi::{api::authentication::v1::SelfSubjectReview, apimachinery::pkg::apis::meta::v1::ObjectMeta};
use kube::{
    Api, Client,
    api::{ListParams, PostParams},
};

const ASK: &str = "ask for the role entitlements-approver, or for the right to view overrides there";
/// More names nobody reads.
const MOST: u32 = 1_000;
/// The API server adds five characters to the beginning of a name, and takes no more than this of it.
const MOST_OF_NAME: usize = 57;
/// How much of that is the override's.
const MOST_OF_OVERRIDE: usize = 36;

/// A cluster in which overrides are decided.
pub struct Registry {
    client: Client,
    url: String,
    /// Who decides, as the API server knows them.
    pub user: String,
}

impl Registry {
    /// Of that cluster.
    pub async fn open(connection: &Connection) -> Result<Self, CommandFailure> {
        let (client, url) = connect(connection).await?;
        let api: Api<SelfSubjectReview> = Api::all(client.clone());
        let review = api.create(&PostParams::default(), &SelfSubjectReview::default()).await;
        let review = review.map_err(|error| explain(&error, "who you are", "log in again", &url))?;
        let user = review.status.and_then(|status| status.user_info).and_then(|user| user.username);
        let Some(user) = user.filter(|user| !user.is_empty()) else {
            return Err(CommandFailure::Impossible(
                "the API server does not say who you are, and nobody decides without a name: see kubectl auth whoami"
                    .to_owned(),
            ));
        };
        Ok(Self { client, url, user })
    }

    /// The override that is meant by a name, by `namespace/name`, or by either behind its kind, with all that is known of it.
    pub async fn find(&self, called: &str, namespace: Option<&str>) -> Result<Exception, CommandFailure> {
        let called = match called.split_once('/') {
            Some((word, rest)) if is_called(EntitlementKind::EntitlementOverride, word) => rest,
            _ => called,
        };
        let (namespace, name) = match called.split_once('/') {
            Some((namespace, name)) => (Some(namespace), name),
            None => (namespace, called),
        };
        if let Err(fault) = name::dns_subdomain(name) {
            return Err(CommandFailure::Usage(format!("{} is no name of an override: it {fault}", harmless(name))));
        }
        if let Some(Err(fault)) = namespace.map(name::dns_label) {
            return Err(CommandFailure::Usage(format!(
                "{} is no name of a namespace: it {fault}",
                harmless(namespace.unwrap_or_default())
            )));
        }
        let found = self.named(name, namespace).await?;
        match <[EntitlementOverride; 1]>::try_from(found) {
            Ok([one]) => Ok(self.with_surroundings(one).await),
            Err(several) if several.is_empty() => Err(self.not_there(name, namespace).await),
            Err(several) => {
                let all: Vec<String> = several.iter().map(|one| id(&one.metadata).to_string()).collect();
                let name = harmless(name);
                Err(CommandFailure::Usage(format!(
                    "there are several overrides {name}: give one of {}",
                    all.join(", ")
                )))
            }
        }
    }

    /// Those of that name; where not all namespaces may be searched, in that of grants alone.
    async fn named(&self, name: &str, namespace: Option<&str>) -> Result<Vec<EntitlementOverride>, CommandFailure> {
        let named = ListParams::default().fields(&format!("metadata.name={name}"));
        let (api, place) = self.overrides(namespace);
        let found = match api.list(&named).await {
            Err(error) if is_forbidden(&error) && namespace.is_none() => {
                let (api, place) = self.overrides(Some(ASSIGNMENT_NAMESPACE));
                api.list(&named).await.map_err(|error| (error, place))
            }
            found => found.map_err(|error| (error, place)),
        };
        let found =
            found.map_err(|(error, place)| explain(&error, &format!("entitlementoverrides{place}"), ASK, &self.url));
        Ok(found?.items)
    }

    fn overrides(&self, namespace: Option<&str>) -> (Api<EntitlementOverride>, String) {
        match namespace {
            Some(namespace) => {
                (Api::namespaced(self.client.clone(), namespace), format!(" in namespace {}", harmless(namespace)))
            }
            None => (Api::all(self.client.clone()), " in all namespaces".to_owned()),
        }
    }

    async fn not_there(&self, name: &str, namespace: Option<&str>) -> CommandFailure {
        let few = ListParams::default().limit(MOST);
        let seen = self.overrides(namespace).0.list(&few).await;
        let names: Vec<String> = seen.into_iter().flatten().filter_map(|one| one.metadata.name).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        match namespace {
            Some(namespace) => unknown_in("override", name, &format!(" in namespace {}", harmless(namespace)), &names),
            None => unknown("override", name, &names),
        }
    }

    /// What may not be seen is not told.
    async fn with_surroundings(&self, one: EntitlementOverride) -> Exception {
        let organizations: Api<Organization> = Api::all(self.client.clone());
        let definitions: Api<EntitlementDefinition> = Api::all(self.client.clone());
        let namespace = one.metadata.namespace.clone().unwrap_or_default();
        let decisions: Api<OverrideDecision> = Api::namespaced(self.client.clone(), &namespace);
        let all = ListParams::default();
        let (organization, definition, decisions) = futures::join!(
            organizations.get_opt(&one.spec.organization),
            definitions.get_opt(&one.spec.definition),
            decisions.list(&all)
        );
        let decisions = decisions.ok().map(|all| all.iter().map(decision).collect::<Vec<StatedDecision>>());
        Exception::of(one, organization.ok().flatten(), definition.ok().flatten(), decisions)
    }

    /// The override as it is now; absent where it is gone, or another.
    pub async fn again(&self, exception: &Exception) -> Option<EntitlementOverride> {
        let (api, _) = self.overrides(Some(&exception.id.namespace));
        let there = api.get(&exception.id.name).await.ok()?;
        (there.metadata.uid == exception.object.metadata.uid).then_some(there)
    }

    /// Writes a decision.
    pub async fn decide(&self, exception: &Exception, spec: OverrideDecisionSpec) -> Result<String, CommandFailure> {
        let namespace = &exception.id.namespace;
        let api: Api<OverrideDecision> = Api::namespaced(self.client.clone(), namespace);
        let metadata =
            ObjectMeta { generate_name: Some(beginning(&exception.id.name, &self.user)), ..ObjectMeta::default() };
        let params = PostParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PostParams::default() };
        match api.create(&params, &OverrideDecision { metadata, spec }).await {
            Ok(made) => Ok(made.metadata.name.unwrap_or_default()),
            Err(kube::Error::Api(status)) if status.code != 401 => {
                Err(CommandFailure::Impossible(refusal(exception, status.code, &status.message)))
            }
            Err(error) => Err(explain(&error, "overridedecisions", ASK, &self.url).into()),
        }
    }
}

/// Why the API server takes a decision not, and what to do.
fn refusal(exception: &Exception, code: u16, message: &str) -> String {
    let (namespace, definition) = (&exception.id.namespace, &exception.object.spec.definition);
    let message = harmless(message);
    if message.contains(ApprovalPolicy::Decisions.name()) {
        let why = message.split_once("denied request: ").map_or(message.as_str(), |(_, why)| why);
        return format!(
            "the cluster refuses it: {why}; see kubectl auth can-i approve entitlementdefinitions.{GROUP}/{definition}"
        );
    }
    if code == 403 && message.contains(" cannot ") {
        return format!(
            "you may not write decisions in namespace {namespace}: that takes the verb create on overridedecisions.{GROUP} there, beside approve on entitlementdefinitions.{GROUP}/{definition} (ClusterRole entitlements-approver has both); see kubectl auth can-i create overridedecisions.{GROUP} --namespace {namespace}"
        );
    }
    format!("the cluster refuses it: {message}")
}

/// Which override an object is.
pub fn id(metadata: &ObjectMeta) -> SourceId {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    SourceId::new(SourceKind::Override, &text(&metadata.namespace), &text(&metadata.name))
}

/// What the name of a decision begins with: who decides on what. The API server adds what no other has.
fn beginning(name: &str, user: &str) -> String {
    let name = as_name(name, MOST_OF_OVERRIDE);
    let user = as_name(user, MOST_OF_NAME.saturating_sub(name.len() + 1));
    [name, user].into_iter().filter(|part| !part.is_empty()).map(|part| part + "-").collect()
}

/// The beginning of a text, with what no name has made hyphens.
fn as_name(text: &str, most: usize) -> String {
    let words = text.split(|character: char| !character.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    let joined = words.collect::<Vec<_>>().join("-").to_ascii_lowercase();
    joined.get(..most).unwrap_or(&joined).trim_end_matches('-').to_owned()
}

#[cfg(test)]
mod tests {
    use super::{MOST_OF_NAME, beginning};
    use crate::core::name::dns_label;
    use rstest::rstest;

    #[rstest]
    #[case("acme-more", "bob", "acme-more-bob-")]
    #[case("acme.more", "Bob@example.com", "acme-more-bob-example-com-")]
    #[case("acme-more", "oidc:München/ü", "acme-more-oidc-m-nchen-")]
    #[case("acme-more", "ü", "acme-more-")]
    fn a_decision_is_named_for_what_is_decided_and_by_whom(
        #[case] name: &str,
        #[case] user: &str,
        #[case] expected: &str,
    ) {
        assert_eq!(beginning(name, user), expected);
    }

    #[test]
    fn a_long_name_leaves_room_for_who_decides() {
        let begun = beginning(&"override-".repeat(20), &"person.".repeat(20));
        assert_eq!(begun, "override-override-override-override-person-person-person-");
        assert!(begun.len() <= MOST_OF_NAME + 1);
        dns_label(&format!("{begun}x7k2p")).unwrap();
    }
}

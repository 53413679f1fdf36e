//! The world as far as the operator knows it: one index in memory, fed by the watches and by the operator's own writes.
//!
//! Everything here is synchronous and short. What an event may change the answer for becomes work, found through indexes;
//! no event costs a look at everything.
//!
//! | file | what it knows |
//! |---|---|
//! | `store` | the newest state of each object of a kind, and when a kind is complete |
//! | `tenancy` | organizations and namespaces |
//! | `kept` | what is kept of a source of grants: all, or only that it is there |
//! | `metering` | what is metered, what is reported, and by which rules |
//! | `lives` | namespaces that were made anew |
//! | `figures` | what there is, in numbers |
//! | `invalid` | grants that state what is not valid |
//! | `agenda` | sources by phase, why they are refused, and when they change: as counts |
//! | `grants` | the sources of grants, and who has how many of what |
//! | `catalogue` | definitions, facet definitions and revisions |
//! | `section` | one kind of the catalogue: its objects, and what serves of each |
//! | `kept_revisions` | the kept revisions of all kinds of it |
//! | `edits` | what was edited of definitions since their organizations were brought up to date |
//! | `guards` | what protects approvals |
//! | `outputs` | what there is in tenants' namespaces |
//! | `strays` | objects that lost the marks of the operator |
//! | `contention` | objects that others change again and again |
//! | `reach` | which namespaces are served, and which of them are known |
//! | `plans` | plans, and what they are made of |
//! | `users` | which objects of the catalogue name which others |
//! | `places` | in which namespaces an organization's objects lie |
//! | `sources` | Secrets that grants take values from |
//! | `usage` | reports of usage: those that count as a whole, others only as there |
//! | `sharing` | what many objects say alike, kept in memory once |
//! | `changes` | who cares about a change, whose work it becomes |
//! | `kinds` | the one list of the kinds that are watched, and what each event of a watch means |
//! | `answers` | what the answers to the operator's own requests tell |
//! | `view` | all that one organization's evaluation reads |
//! | `candidate` | the same, as it would be after a change that is not stored yet |

mod agenda;
mod answers;
mod candidate;
mod catalogue;
mod changes;
mod checks;
mod contention;
mod decisions;
mod edits;
mod figures;
mod grants;
mod guards;
mod invalid;
mod kept;
mod kept_revisions;
pub mod kinds;
mod lives;
mod metering;
mod outputs;
mod places;
mod plans;
mod reach;
mod section;
mod sharing;
mod source_objects;
mod sources;
mod store;
mod strays;
mod tenancy;
mod usage;
mod users;
mod view;

#[cfg(test)]
pub mod tests;

pub use crate::evaluation::SecretName;
pub use candidate::{ObjectState, Reference};
pub use catalogue::DefinitionView;
pub use edits::Edits;
pub use kept::{SourceObject, WholeSource};
pub use lives::MadeAnew;
pub use plans::{PlanUse, PlanView};
pub use section::KeptView;
pub use store::{Identity, Reading};
pub use strays::FormerMarks;
pub use usage::{ReportView, ReportWork, WholeReport};
pub use view::{NamedCatalogue, NotReady, OrganizationView, SourceFacts, SourcePermission};

pub use super::work::WorkItem;
use super::{debouncer::Debouncer, writing::Writing};
use crate::{
    api::{FacetDefinition, entitlement_definition::InstanceCounts},
    core::{
        authority::ApiAuthority,
        secret::Secret,
        served::ServedNamespaces,
        source::{SourceId, SourceKind},
        usage::report::ReportId,
    },
    evaluation::{
        Limits,
        catalogue::{CatalogueKind, Served},
        status::grants::{InvalidGrants, is_facet_of},
    },
};
use catalogue::Catalogue;
use decisions::OverrideDecisions;
use edits::PendingEdits;
use grants::Grants;
use guards::ApprovalGuards;
use kinds::{News, WATCHES, WatchedKind, resource};
use lives::Lives;
use outputs::ObservedOutputs;
use reach::Reach;
use sources::SourceSecrets;
use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};
use tenancy::Tenancy;
use tokio::time::Instant;
use usage::UsageReports;

/// How much there is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ClusterCounts {
    /// Definitions.
    pub definitions: usize,
    /// Plans and add-ons.
    pub plans: usize,
    /// Organizations.
    pub organizations: usize,
    /// Instances.
    pub grants: usize,
}

/// The index.
pub struct World {
    operator_namespace: Arc<str>,
    limits: Limits,
    reach: Reach,
    tenancy: Tenancy,
    grants: Grants,
    decisions: OverrideDecisions,
    usage: UsageReports,
    catalogue: Catalogue,
    guards: ApprovalGuards,
    outputs: ObservedOutputs,
    sources: SourceSecrets,
    settling: Debouncer<WorkItem>,
    /// What has changed gently since settling last heard of it.
    unsettled: Vec<WorkItem>,
    work: BTreeSet<WorkItem>,
    /// Sources that their organizations do not allow, which has yet to be reported.
    barred: BTreeSet<SourceId>,
    /// The same of reports of usage.
    barred_reports: BTreeSet<ReportId>,
    /// What somebody else's write of a status may change the answer for.
    nudges: BTreeSet<WorkItem>,
    /// The same, of sources that their organizations do not let be named.
    barred_nudges: BTreeSet<SourceId>,
    /// The same, of reports of usage.
    barred_report_nudges: BTreeSet<ReportId>,
    writing: Writing,
    /// Organizations for which the number of those has changed.
    counting: BTreeSet<Arc<str>>,
    lives: Lives,
    made_anew: Vec<MadeAnew>,
    /// Where it may have changed whether source Secrets are watched, and whether nobody was told of that yet.
    changed_source_namespaces: BTreeSet<Arc<str>>,
    source_namespaces_changed: bool,
    /// The resources that have been listed once, and whether there is one that nobody was told of yet.
    listed: BTreeSet<Cow<'static, str>>,
    has_newly_listed: bool,
    was_ready: bool,
    /// Organizations whose objects from before the operator's start are all known.
    searched: BTreeSet<Arc<str>>,
    edits: PendingEdits,
    authority: ApiAuthority,
}

impl World {
    /// Nothing is known yet. The namespace is the operator's own.
    pub fn new(operator_namespace: &str, limits: Limits) -> Self {
        Self {
            operator_namespace: operator_namespace.into(),
            limits,
            reach: Reach::default(),
            tenancy: Tenancy::default(),
            grants: Grants::default(),
            decisions: OverrideDecisions::default(),
            usage: UsageReports::default(),
            catalogue: Catalogue::default(),
            guards: ApprovalGuards::default(),
            outputs: ObservedOutputs::default(),
            sources: SourceSecrets::default(),
            settling: Debouncer::default(),
            unsettled: Vec::new(),
            work: BTreeSet::new(),
            barred: BTreeSet::new(),
            barred_reports: BTreeSet::new(),
            nudges: BTreeSet::new(),
            barred_nudges: BTreeSet::new(),
            barred_report_nudges: BTreeSet::new(),
            writing: Writing::default(),
            counting: BTreeSet::new(),
            lives: Lives::default(),
            made_anew: Vec::new(),
            changed_source_namespaces: BTreeSet::new(),
            source_namespaces_changed: false,
            listed: BTreeSet::new(),
            has_newly_listed: false,
            was_ready: false,
            searched: BTreeSet::new(),
            authority: ApiAuthority::Absent,
            edits: PendingEdits::default(),
        }
    }

    /// The same for an operator that serves only those namespaces.
    pub fn serving(self, served: &ServedNamespaces) -> Self {
        Self { reach: Reach::of(served), ..self }
    }

    /// Whether every kind has been listed once. Before that an unlisted kind would look like a deleted one.
    pub fn is_ready(&self) -> bool {
        self.listed.len() == WATCHES.len()
    }

    /// The resources that have been listed once, if there is another one since the last call.
    pub fn take_newly_listed(&mut self) -> Option<BTreeSet<Cow<'static, str>>> {
        std::mem::take(&mut self.has_newly_listed).then(|| self.listed.clone())
    }

    /// Takes in an event of a watch.
    pub fn hear<K: WatchedKind>(&mut self, news: News<K::State>) {
        let is_listed = matches!(news, News::ListEnds);
        K::observe(self, news);
        self.has_newly_listed |= is_listed && self.listed.insert(resource::<K>());
    }

    /// A kind cannot be watched; it may be that the API server says so for good. If the operator can do without, nobody waits for it.
    /// Whether it was known until now, and counts no longer.
    pub fn do_without<K: WatchedKind>(&mut self, is_refused: bool) -> bool {
        let is_news = self.listed.insert(resource::<K>());
        self.has_newly_listed |= is_news;
        // What was known stays in use as long as it may only be slow to be asked for.
        (is_news || is_refused) && K::lose(self)
    }

    /// The same of a watch of one namespace.
    pub fn hear_within<K: WatchedKind>(&mut self, namespace: &Arc<str>, news: News<K::State>) {
        match news {
            News::ListBegins => K::begin_list_within(self, namespace),
            News::ListEnds => {
                K::finish_list_within(self, namespace);
                self.has_listed::<K>(namespace);
            }
            news => K::observe(self, news),
        }
    }

    /// How much there is.
    pub fn census(&self) -> ClusterCounts {
        ClusterCounts {
            definitions: self.catalogue.definition_count(),
            plans: self.catalogue.plans.count(),
            organizations: self.tenancy.organizations().count(),
            grants: self.grants.count(SourceKind::Instance),
        }
    }

    /// The work that has come up since the last call: none before all is listed, and everything when it is.
    pub fn take_work(&mut self) -> BTreeSet<WorkItem> {
        self.unsettle();
        let work = std::mem::take(&mut self.work);
        if !self.is_ready() {
            return BTreeSet::new();
        }
        if std::mem::replace(&mut self.was_ready, true) {
            return work;
        }
        self.find_misplaced();
        WATCHES.iter().flat_map(|watch| (watch.begin)(self)).collect()
    }

    /// This replica works from now on, and all that there is is work again. Where another may have worked before, nothing of what
    /// this one has made or found out for itself counts any more, as after a start.
    pub fn begin_anew(&mut self, is_succession: bool) {
        if !self.was_ready {
            return;
        }
        if is_succession {
            self.searched.clear();
            self.edits = PendingEdits::default();
            // What the other one did looked like somebody else's doing.
            self.outputs.forget_changes();
            self.catalogue.forget_served();
        }
        self.find_misplaced();
        self.work = WATCHES.iter().flat_map(|watch| (watch.begin)(self)).collect();
    }

    /// The sources of grants of which, since the last call, it has come up to be said that their organizations do not let them be named;
    /// with the organizations that have more or less of these than before. None before all is listed.
    pub fn take_barred(&mut self) -> (BTreeSet<SourceId>, BTreeSet<Arc<str>>) {
        let (barred, mut counting) = (std::mem::take(&mut self.barred), std::mem::take(&mut self.counting));
        // An organization that does not exist has no status to count them in.
        counting.retain(|name| self.tenancy.get(name).is_some());
        if self.was_ready { (barred, counting) } else { Default::default() }
    }

    /// The reports of usage of which, since the last call, it has come up to be said that they may not be made where they are, and
    /// those for which somebody else's write of a status may have changed that. None before all is listed.
    pub fn take_barred_reports(&mut self) -> (BTreeSet<ReportId>, BTreeSet<ReportId>) {
        let reports = (std::mem::take(&mut self.barred_reports), std::mem::take(&mut self.barred_report_nudges));
        if self.was_ready { reports } else { Default::default() }
    }

    /// Whose statuses are being written, for those who write them to say so.
    pub fn writing(&self) -> Writing {
        self.writing.clone()
    }

    /// What somebody else's writes of statuses may have changed the answer for since the last call. None before all is listed.
    pub fn take_nudges(&mut self) -> (BTreeSet<WorkItem>, BTreeSet<SourceId>) {
        let nudges = (std::mem::take(&mut self.nudges), std::mem::take(&mut self.barred_nudges));
        if self.was_ready { nudges } else { Default::default() }
    }

    /// Takes in a change of an object. Where nothing but its status has changed, and the operator is not writing that, somebody
    /// else has: what comes of it is not hurried.
    fn take_in<S: PartialEq>(
        &mut self,
        item: &WorkItem,
        spec: impl Fn(&Self) -> Option<S>,
        change: impl FnOnce(&mut Self),
    ) {
        self.unsettle();
        let before = spec(self);
        let (work, barred) = (std::mem::take(&mut self.work), std::mem::take(&mut self.barred));
        let reports = std::mem::take(&mut self.barred_reports);
        change(self);
        let reports_of_change = std::mem::replace(&mut self.barred_reports, reports);
        let (of_change, barred_of_change) =
            (std::mem::replace(&mut self.work, work), std::mem::replace(&mut self.barred, barred));
        if before.is_some() && before == spec(self) && !self.writing.has(item) {
            // Nor does it keep anything from being settled, which would have a time of its own to be looked at again.
            self.unsettled.clear();
            self.nudges.extend(of_change);
            self.barred_nudges.extend(barred_of_change);
            self.barred_report_nudges.extend(reports_of_change);
        } else {
            self.work.extend(of_change);
            self.barred.extend(barred_of_change);
            self.barred_reports.extend(reports_of_change);
        }
    }

    /// Namespaces of organizations that were made anew since the last call.
    pub fn take_made_anew(&mut self) -> Vec<MadeAnew> {
        std::mem::take(&mut self.made_anew)
    }

    /// Whether it may have changed in which namespaces source Secrets are watched, since the last call.
    pub fn take_source_namespaces_changed(&mut self) -> bool {
        std::mem::take(&mut self.source_namespaces_changed)
    }

    /// What has changed gently keeps from being settled, once all was listed.
    fn unsettle(&mut self) {
        for item in std::mem::take(&mut self.unsettled) {
            if self.was_ready {
                self.settling.touch(item, Instant::now());
            }
        }
    }

    /// How long writes that gather up what many objects say have to wait still.
    pub fn wait_for_quiet(&mut self, item: &WorkItem) -> Option<Duration> {
        self.unsettle();
        self.settling.wait(item, Instant::now())
    }

    /// A moment has come: nothing of this organization need wait.
    pub fn hurry(&mut self, organization: &Arc<str>) {
        self.unsettle();
        self.settling.hurry(&WorkItem::Organization(Arc::clone(organization)));
        self.touch_organization(organization);
    }

    /// All about one definition, how many grants of it there are, and which of them state what is not valid.
    pub fn definition(&mut self, name: &Arc<str>) -> (DefinitionView, InstanceCounts, InvalidGrants) {
        (self.catalogue.view(name), self.grants.counts(name), self.grants.invalid().all(name))
    }

    /// Making something of a definition did not come to its end.
    pub fn outdate_definition(&mut self, name: &Arc<str>) {
        self.catalogue.outdate(&CatalogueKind::Definition.named(name));
    }

    /// From now on this serves, which was made from the view of that version.
    pub fn serve(&mut self, name: &Arc<str>, served: Served, version: u64) {
        let serving = self.catalogue.serve(name, served, version);
        self.changed_serving(name, &serving);
    }

    /// What was edited of the definitions of an organization since the last call.
    pub fn take_edits(&mut self, organization: &str) -> Edits {
        self.edits.take(organization)
    }

    /// Nothing is left of a definition.
    pub fn drop_definition(&mut self, name: &Arc<str>) {
        let serving = self.catalogue.drop_served(name);
        self.changed_serving(name, &serving);
    }

    /// A facet definition, and the grants that state fields of it that are not valid.
    pub fn facet(&self, name: &Arc<str>) -> Option<(Arc<FacetDefinition>, InvalidGrants)> {
        let facet = self.catalogue.facet(name)?;
        let mut invalid = InvalidGrants::default();
        for definition in self.catalogue.users(name).filter_map(|user| self.catalogue.definition(user)) {
            let is_it = |alias: &str| is_facet_of(&definition.spec, alias, name);
            let name = definition.metadata.name.as_deref().unwrap_or_default();
            self.grants.invalid().of_facets(name, is_it, &mut invalid);
        }
        Some((facet, invalid))
    }

    /// A source was read.
    pub fn fetched(&mut self, key: &SecretName, version: u64, data: BTreeMap<String, Secret<Vec<u8>>>) {
        if self.sources.put(key.clone(), version, data) {
            self.touch_users(key);
        }
    }

    /// A source does not exist.
    pub fn source_is_missing(&mut self, key: &SecretName) {
        if self.sources.put_missing(key.clone()) {
            self.touch_users(key);
        }
    }

    /// A source can't be read for now.
    pub fn source_is_unavailable(&mut self, key: &SecretName) {
        if self.sources.put_unavailable(key.clone()) {
            self.touch_users(key);
        }
    }

    /// A source may not be read, or nobody refers to it any more.
    pub fn drop_source(&mut self, key: &SecretName) {
        if self.sources.drop(key) {
            self.touch_users(key);
        }
    }
}

//! What all parts of the controller share.

use super::{
    ControllerOptions, announcements,
    attempts::OfOrganization,
    clock,
    decisions::Decisions,
    events::{self, Announcer},
    gate::Gate,
    inquiries::Inquiries,
    lanes::Lanes,
    leadership::Candidacy,
    metering::WrittenUsage,
    outages::Outages,
    queue::Queue,
    resumptions::Resumptions,
    tallies::Tallies,
    time_zones::Moves,
    timer::Timer,
    transitions::Transitions,
    usage_states::UsageStates,
    warnings::Warnings,
    work::BarredObject,
    world::{MadeAnew, WorkItem, World, kinds::WATCHES},
    writing::Writing,
};
use crate::{api::Organization, connection::FencedClients, metering::MeterDesk};
use std::{
    borrow::Cow,
    collections::{BTreeSet, HashMap},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::sync::{Notify, watch};

/// How long an organization's count of those that name it from where they may not may be wrong. However many come, they give it
/// no more work than that.
const COUNTING_DELAY: Duration = Duration::from_secs(5);

/// What all parts of the controller share.
pub struct ControllerContext {
    /// The way to the API server.
    pub gate: Arc<Gate>,
    /// What is to be worked on.
    pub queue: Queue<WorkItem>,
    /// Sources of grants, and reports of usage, of which it is to be said that their organizations do not let them be named. They are apart from all else, so
    /// that however many there are, nothing waits for them.
    pub barred: Queue<BarredObject>,
    /// Where evaluating and compiling is done.
    pub lanes: Lanes,
    /// What was decided last.
    pub decisions: Decisions,
    /// When organizations change by time alone.
    pub timer: Timer<Arc<str>>,
    /// What is known of meters, and what is wanted of them.
    pub meters: MeterDesk,
    /// How it stands with asking Prometheus.
    pub inquiries: Inquiries,
    /// When the state of each organization's usage was written last.
    pub written_usage: WrittenUsage,
    /// What came of the outputs.
    pub tallies: Tallies,
    /// In which states their usage is.
    pub usage_states: UsageStates,
    /// Where evaluations go on that came to no end.
    pub resumptions: Resumptions,
    /// Whose statuses are being written.
    pub writing: Writing,
    /// Whether this operator works on the cluster.
    pub candidacy: Candidacy,
    /// Makes the client of a tenure.
    pub writers: FencedClients,
    /// The resources that have been listed once.
    listed: watch::Sender<BTreeSet<Cow<'static, str>>>,
    /// What cannot be watched.
    pub outages: Outages,
    /// Tells the log of grants that change their phase.
    pub transitions: Transitions,
    /// Keeps what fails from flooding the log.
    pub warnings: Warnings,
    /// Tells the users.
    pub announcer: Announcer,
    /// It may have changed in which namespaces source Secrets are watched.
    pub source_namespaces: Notify,
    /// Tells what newer time zone data moves.
    pub moves: Moves,
    /// How the controller was set up.
    pub options: ControllerOptions,
    world: Mutex<World>,
    attempts: Mutex<HashMap<Arc<str>, OfOrganization>>,
}

impl ControllerContext {
    /// Nothing is known yet.
    pub fn new(
        gate: Arc<Gate>,
        writers: FencedClients,
        candidacy: Candidacy,
        announcer: Announcer,
        options: ControllerOptions,
    ) -> Self {
        let world = World::new(&options.namespace, options.limits).serving(&options.served);
        Self {
            gate,
            writing: world.writing(),
            candidacy,
            writers,
            listed: watch::Sender::default(),
            queue: Queue::new(options.metrics.queue("work")),
            barred: Queue::new(options.metrics.queue("barred")),
            lanes: Lanes::new(),
            decisions: Decisions::default(),
            timer: Timer::new(),
            meters: MeterDesk::new(options.store.clone(), clock::now(), &options.metrics),
            inquiries: Inquiries::default(),
            written_usage: WrittenUsage::default(),
            tallies: Tallies::default(),
            usage_states: UsageStates::default(),
            resumptions: Resumptions::default(),
            outages: Outages::default(),
            transitions: Transitions::default(),
            warnings: Warnings::default(),
            announcer,
            source_namespaces: Notify::new(),
            moves: Moves::default(),
            world: Mutex::new(world),
            attempts: Mutex::default(),
            options,
        }
    }

    /// The context of a cluster that is never reached.
    #[cfg(test)]
    pub fn unconnected() -> Self {
        let config = kube::Config::new(http::Uri::from_static("http://127.0.0.1:9"));
        Self::read_by(kube::Client::try_from(config).unwrap())
    }

    /// The same of a cluster that is read by that client, and never written.
    #[cfg(test)]
    pub fn read_by(client: kube::Client) -> Self {
        let config = kube::Config::new(http::Uri::from_static("http://127.0.0.1:9"));
        let candidacy = Candidacy::default();
        let gate = Arc::new(Gate::new(client, 1, candidacy.holds(), candidacy.leadership()));
        let (announcer, _) = super::events::channel(Arc::clone(&gate), &crate::metrics::Metrics::default());
        Self::new(gate, FencedClients::new(config), candidacy, announcer, ControllerOptions::default())
    }

    /// Reads or changes what is known of the world, and queues the work that comes of it. The function must be short: all
    /// others wait for it.
    pub fn world<R>(&self, access: impl FnOnce(&mut World) -> R) -> R {
        let mut world = self.world.lock().unwrap_or_else(PoisonError::into_inner);
        let result = access(&mut world);
        let listed = world.take_newly_listed();
        let work = world.take_work();
        let (barred, counting) = world.take_barred();
        let (barred_reports, nudged_reports) = world.take_barred_reports();
        let (nudged, nudged_barred) = world.take_nudges();
        let source_namespaces_changed = world.take_source_namespaces_changed();
        let made_anew = world.take_made_anew();
        drop(world);
        if let Some(listed) = listed {
            // Whoever sends last need not have looked last, so that nothing of it is taken back.
            self.listed.send_if_modified(|known| {
                let before = known.len();
                known.extend(listed);
                known.len() > before
            });
        }
        self.queue.add_all(work);
        self.queue.nudge_all(nudged);
        let reports = barred_reports.into_iter().map(BarredObject::Report);
        self.barred.add_all(barred.into_iter().map(BarredObject::Source).chain(reports));
        let reports = nudged_reports.into_iter().map(BarredObject::Report);
        self.barred.nudge_all(nudged_barred.into_iter().map(BarredObject::Source).chain(reports));
        for organization in counting {
            self.queue.add_after(WorkItem::Organization(organization), COUNTING_DELAY);
        }
        if source_namespaces_changed {
            self.source_namespaces.notify_one();
        }
        for made in &made_anew {
            self.announce_made_anew(made);
        }
        result
    }

    /// This replica works from now on: all that there is is work, and what was decided on before, too. An organization that has gone
    /// while this one did not work has left nothing else that would have it forgotten.
    pub fn begin_anew(&self, is_succession: bool) {
        self.tallies.begin_anew();
        self.usage_states.begin_anew();
        self.written_usage.begin_anew();
        self.world(|world| world.begin_anew(is_succession));
        self.queue.add_all(self.decisions.organizations().into_iter().map(WorkItem::Organization));
    }

    /// Waits until these resources have been listed once.
    pub async fn knows(&self, resources: &[Cow<'static, str>]) {
        // The other end is the context's own.
        let _ = self.listed.subscribe().wait_for(|listed| resources.iter().all(|one| listed.contains(one))).await;
    }

    /// Waits until every kind has been listed once.
    pub async fn knows_everything(&self) {
        self.knows(&WATCHES.map(|watch| (watch.resource)())).await;
    }

    /// The operator that works on the cluster tells it.
    fn announce_made_anew(&self, made: &MadeAnew) {
        if !self.candidacy.leads() {
            return;
        }
        let metadata = &made.organization.metadata;
        let (name, uid) = (metadata.name.as_deref().unwrap_or_default(), metadata.uid.as_deref().unwrap_or_default());
        tracing::info!(organization = name, namespace = %made.namespace, "a namespace was made anew");
        let about = events::reference::<Organization>(None, name, uid);
        self.announcer.announce(about, announcements::of_namespace_made_anew(&made.namespace));
    }

    /// Reads or changes what is remembered of an organization's attempts in vain. The function must be short.
    pub fn attempts<R>(&self, organization: &Arc<str>, access: impl FnOnce(&mut OfOrganization) -> R) -> R {
        let mut attempts = self.attempts.lock().unwrap_or_else(PoisonError::into_inner);
        let mut of_organization = attempts.remove(organization).unwrap_or_default();
        let result = access(&mut of_organization);
        if !of_organization.is_empty() {
            attempts.insert(Arc::clone(organization), of_organization);
        }
        result
    }
}

#[cfg(test)]
mod tests {
    use super::{ControllerContext, WorkItem};
    use crate::{
        controller::{
            organization::reconcile,
            world::tests::{finish_lists, organization},
        },
        evaluation::{
            Evaluation,
            memo::Memo,
            plan::{Outcomes, Stuck},
        },
    };
    use kube::runtime::watcher::Event;
    use std::time::Duration;
    use tokio::time::timeout;

    #[tokio::test(start_paused = true)]
    async fn what_has_gone_while_another_replica_worked_is_forgotten() {
        let context = ControllerContext::unconnected();
        let acme = "acme".into();
        context.world(|world| {
            finish_lists(world);
            world.observe_organization(Event::Apply(organization("acme", &["one"], 1)));
        });
        let snapshot = context.world(|world| world.view(&acme)).unwrap().snapshot;
        let evaluation = Evaluation::after(None, &mut Memo::default(), &snapshot, super::super::clock::now(), None);
        context.decisions.publish(&evaluation.decision);
        let outcomes = Outcomes { stuck: vec![Stuck::new(None, "held".to_owned())], ..Outcomes::default() };
        context.tallies.tell(&acme, &evaluation.desired, &outcomes);
        // It stands by: nothing is done about what it hears.
        context.world(|world| world.observe_organization(Event::Delete(organization("acme", &["one"], 2))));
        while let Ok(item) = timeout(Duration::from_hours(1), context.queue.next()).await {
            context.queue.done(&item);
        }
        context.begin_anew(true);
        assert_eq!(context.tallies.all().into_iter().collect::<Vec<_>>(), [("delivered", 0)]);
        assert_eq!(context.queue.next().await, WorkItem::Organization("acme".into()));
        assert!(reconcile(&context, &acme).await.is_ok());
        assert!(context.decisions.last("acme").is_none());
    }
}

//! The ends and notices of a timeline as an iCalendar (RFC 5545).

use super::words::{amount, entry_name, source_name};
use crate::{
    api::lifecycle::Notice,
    cli::{moment::shown, text::on_one_line},
    core::{
        calendar::{Instant, parse_instant},
        source::{SourceId, SourceKind},
    },
    offline::{Departure, GrantChange, GrantState, SubscriptionChange, Timeline, TimelineStep},
};

/// The most octets of a line, its end not counted (section 3.1).
const OCTETS: usize = 75;

/// The calendar. An event keeps its UID as long as its grant keeps its name, and all of it while nothing changes, whenever the
/// calendar is made: so a calendar that is read again updates what it has, and shows nothing as changed that is not.
pub fn calendar(timeline: &Timeline) -> String {
    let mut writer = CalendarWriter { text: String::new() };
    writer.line("BEGIN:VCALENDAR");
    writer.line("VERSION:2.0");
    writer.line("PRODID:-//entitlements.dev//entitlement-operator//EN");
    writer.property("X-WR-CALNAME", "Ends of entitlements");
    for step in &timeline.steps {
        let Some(departure) = timeline.departures.get(&step.organization) else { continue };
        for change in step.own_grants() {
            writer.events(step, &CalendarSubject::of_grant(step, change), departure);
        }
        for change in &step.subscriptions {
            writer.events(step, &CalendarSubject::of_subscription(step, change), departure);
            writer.entries(step, change, departure);
        }
    }
    writer.line("END:VCALENDAR");
    writer.text
}

struct CalendarWriter {
    text: String,
}

struct CalendarEvent<'a> {
    at: Instant,
    kind: &'a str,
    category: &'a str,
    summary: String,
    description: String,
}

/// A source of grants on its way: an instance's grant, or a subscription as a whole.
struct CalendarSubject<'a> {
    source: &'a SourceId,
    /// What it is about, for people.
    name: String,
    before: &'a GrantState,
    after: &'a GrantState,
    notices: &'a [Notice],
    /// What renews it then and there.
    successor: Option<&'a str>,
    /// What the client has before and after.
    consequence: String,
}

impl<'a> CalendarSubject<'a> {
    fn of_grant(step: &TimelineStep, change: &'a GrantChange) -> Self {
        let source = &change.grant.source;
        Self {
            source,
            name: format!("{}: {} ({})", step.organization, change.definition, source_name(source)),
            before: &change.before,
            after: &change.after,
            notices: &change.notices,
            successor: step.successor(change),
            consequence: consequence(step, change),
        }
    }

    fn of_subscription(step: &TimelineStep, change: &'a SubscriptionChange) -> Self {
        let source = &change.source;
        Self {
            source,
            name: format!("{}: subscription to {} ({})", step.organization, change.before.plan, source_name(source)),
            before: &change.before.standing,
            after: &change.after.standing,
            notices: &change.notices,
            successor: step.successor_of(change),
            consequence: consequences(step),
        }
    }

    /// Whether it, or what was left of it, goes out of force.
    fn is_end(&self) -> bool {
        use crate::api::Phase::{Active, Expired, Grace, Suspended};
        matches!((self.before.phase, self.after.phase), (Active, Grace | Expired) | (Grace | Suspended, Expired))
    }

    /// When it does. A suspended grant shows no grace: it is over when its grace would be, but ends with its term.
    fn end_at(&self, step: &TimelineStep) -> Instant {
        let end = self.before.end.filter(|_| self.before.phase == crate::api::Phase::Suspended);
        end.unwrap_or(step.at)
    }

    fn summary(&self) -> String {
        let subject = &self.name;
        match (self.successor, self.before.phase, self.after.phase) {
            (Some(renewal), ..) => format!("{subject} passes to {renewal}"),
            (None, crate::api::Phase::Grace, _) => format!("{subject} is withdrawn"),
            (None, crate::api::Phase::Suspended, _) => format!("{subject} ends, while it is suspended"),
            (None, _, crate::api::Phase::Grace) => format!("{subject} ends, with a grace period"),
            (None, ..) => format!("{subject} ends"),
        }
    }
}

impl CalendarWriter {
    fn events(&mut self, step: &TimelineStep, subject: &CalendarSubject<'_>, departure: &Departure) {
        let zone = departure.zone;
        for notice in subject.notices {
            let (Ok(at), Ok(end)) = (parse_instant(&notice.at), parse_instant(&notice.end)) else { continue };
            let event = CalendarEvent {
                at,
                kind: &format!("notice-{}-{}", notice.before, basic(end)),
                category: "notice",
                summary: format!("{} ends {}", subject.name, shown(end, zone)),
                description: format!("Nothing renews {} yet.", source_name(subject.source)),
            };
            self.event(subject.source, departure, &event);
        }
        if !subject.is_end() {
            return;
        }
        let event = CalendarEvent {
            at: subject.end_at(step),
            kind: if subject.before.phase == crate::api::Phase::Grace { "withdrawal" } else { "end" },
            category: "end",
            summary: subject.summary(),
            description: subject.consequence.clone(),
        };
        self.event(subject.source, departure, &event);
    }

    /// What a subscription has for a while ends before it does.
    fn entries(&mut self, step: &TimelineStep, change: &SubscriptionChange, departure: &Departure) {
        for entry in &change.ended {
            let source = source_name(&change.source);
            let event = CalendarEvent {
                at: step.at,
                kind: &format!("end-{}-{}", entry.list.as_str(), entry.name),
                category: "end",
                summary: format!("{}: {} of {source} ends", step.organization, entry_name(entry)),
                description: consequences(step),
            };
            self.event(&change.source, departure, &event);
        }
    }

    fn event(&mut self, source: &SourceId, departure: &Departure, event: &CalendarEvent<'_>) {
        // An instance and a subscription may have one name.
        let kind = match source.kind {
            SourceKind::Instance => String::new(),
            SourceKind::Subscription | SourceKind::Override => format!(".{}", source.kind.field()),
            #[cfg(test)]
            SourceKind::Bundle => format!(".{}", source.kind.field()),
        };
        let identifier = format!("{}{kind}.{}.{}@entitlements.dev", event.kind, source.namespace, source.name);
        let client = departure
            .display_name
            .as_deref()
            .map_or_else(String::new, |name| format!("Client: {}\n", on_one_line(name)));
        let description = format!("{client}{}\nLocal time: {}", event.description, shown(event.at, departure.zone));
        self.line("BEGIN:VEVENT");
        self.property("UID", &identifier);
        // When the event was last revised, which nothing tells; without a METHOD this may be any time (section 3.8.7.2).
        self.line(&format!("DTSTAMP:{}", basic(event.at)));
        self.line(&format!("DTSTART:{}", basic(event.at)));
        self.property("SUMMARY", &event.summary);
        self.property("DESCRIPTION", &description);
        self.line(&format!("CATEGORIES:{}", event.category));
        self.line("TRANSP:TRANSPARENT");
        self.line("END:VEVENT");
    }

    fn property(&mut self, name: &str, text: &str) {
        self.line(&format!("{name}:{}", escaped(text)));
    }

    /// A line, folded between characters.
    fn line(&mut self, line: &str) {
        let mut room = OCTETS;
        for character in line.chars() {
            if character.len_utf8() > room {
                self.text.push_str("\r\n ");
                room = OCTETS - 1;
            }
            self.text.push(character);
            room -= character.len_utf8();
        }
        self.text.push_str("\r\n");
    }
}

/// What the client has before and after.
fn consequence(step: &TimelineStep, change: &GrantChange) -> String {
    let Some((before, after)) = step.holdings.get(&change.definition) else {
        return "What the client gets stays as it is.".to_owned();
    };
    match (amount(before), amount(after)) {
        (one, other) if one == other => "The client's configuration changes.".to_owned(),
        (one, other) => format!("Before: {one}. After: {other}."),
    }
}

/// The same of all that the client holds.
fn consequences(step: &TimelineStep) -> String {
    let changes = step.holdings.iter().map(|(definition, (before, after))| {
        let (one, other) = (amount(before), amount(after));
        if one == other {
            return format!("{definition}: the client's configuration changes.");
        }
        format!("{definition}: before: {one}, after: {other}.")
    });
    let changes: Vec<String> = changes.collect();
    if changes.is_empty() { "What the client gets stays as it is.".to_owned() } else { changes.join("\n") }
}

/// `20270101T000000Z`
fn basic(at: Instant) -> String {
    at.format("%Y%m%dT%H%M%SZ").to_string()
}

/// A text as section 3.3.11 has it. Control characters are not allowed in one.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for (index, line) in text.split('\n').enumerate() {
        if index > 0 {
            escaped.push_str("\\n");
        }
        for character in on_one_line(line).chars() {
            if matches!(character, '\\' | ';' | ',') {
                escaped.push('\\');
            }
            escaped.push(character);
        }
    }
    escaped
}

//! The ends and notices of a timeline as an iCalendar (RFC 5545).

use super::words::{amount, source_name};
use crate::{
    cli::{moment::shown, text::on_one_line},
    core::calendar::{Instant, parse_instant},
    offline::{Departure, GrantChange, Timeline, TimelineStep},
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
        for change in &step.grants {
            writer.events(step, change, departure);
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

impl CalendarWriter {
    fn events(&mut self, step: &TimelineStep, change: &GrantChange, departure: &Departure) {
        let zone = departure.zone;
        for notice in &change.notices {
            let (Ok(at), Ok(end)) = (parse_instant(&notice.at), parse_instant(&notice.end)) else { continue };
            let event = CalendarEvent {
                at,
                kind: &format!("notice-{}-{}", notice.before, basic(end)),
                category: "notice",
                summary: format!("{} ends {}", subject(step, change), shown(end, zone)),
                description: format!("Nothing renews {} yet.", source_name(&change.grant.source)),
            };
            self.event(change, departure, &event);
        }
        if !is_end(change) {
            return;
        }
        let event = CalendarEvent {
            at: end_of(step, change),
            kind: if change.before.phase == crate::api::Phase::Grace { "withdrawal" } else { "end" },
            category: "end",
            summary: summary(step, change),
            description: consequence(step, change),
        };
        self.event(change, departure, &event);
    }

    fn event(&mut self, change: &GrantChange, departure: &Departure, event: &CalendarEvent<'_>) {
        let identifier =
            format!("{}.{}.{}@entitlements.dev", event.kind, change.grant.source.namespace, change.grant.source.name);
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

/// Whether a grant, or what was left of it, goes out of force.
fn is_end(change: &GrantChange) -> bool {
    use crate::api::Phase::{Active, Expired, Grace, Suspended};
    matches!((change.before.phase, change.after.phase), (Active, Grace | Expired) | (Grace | Suspended, Expired))
}

/// When it does. A suspended grant shows no grace: it is over when its grace would be, but ends with its term.
fn end_of(step: &TimelineStep, change: &GrantChange) -> Instant {
    let end = change.before.end.filter(|_| change.before.phase == crate::api::Phase::Suspended);
    end.unwrap_or(step.at)
}

fn subject(step: &TimelineStep, change: &GrantChange) -> String {
    format!("{}: {} ({})", step.organization, change.definition, source_name(&change.grant.source))
}

fn summary(step: &TimelineStep, change: &GrantChange) -> String {
    let subject = subject(step, change);
    match (step.successor(change), change.before.phase, change.after.phase) {
        (Some(renewal), ..) => format!("{subject} passes to {renewal}"),
        (None, crate::api::Phase::Grace, _) => format!("{subject} is withdrawn"),
        (None, crate::api::Phase::Suspended, _) => format!("{subject} ends, while it is suspended"),
        (None, _, crate::api::Phase::Grace) => format!("{subject} ends, with a grace period"),
        (None, ..) => format!("{subject} ends"),
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

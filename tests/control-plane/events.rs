//! What a control plane in the foreground waits for: signals, and the end of what it serves.

use std::io::{self, Read};
use std::process::ExitStatus;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::Duration;

use tokio::runtime::Builder;
use tokio::signal::unix::{SignalKind, signal};

use crate::plane::{Plane, PlaneError};

/// Something that happened.
pub enum Event {
    /// ^C. The terminal sends it to the whole group, so the command of `exec` has it as well.
    Interrupt,
    /// SIGTERM.
    Terminate,
    /// The control plane is at work, or could not start.
    Started(Result<Box<Plane>, PlaneError>),
    /// The command of `exec` has ended.
    Ended(io::Result<ExitStatus>),
    /// Standard input has ended.
    StdinEnded,
}

/// The stream of events.
pub struct Events {
    arrived: Receiver<Event>,
    sender: Sender<Event>,
}

impl Events {
    /// From now on ^C and SIGTERM are events, and no longer end this process.
    ///
    /// # Errors
    /// The operating system refuses it.
    pub fn listen() -> io::Result<Self> {
        let (sender, arrived) = mpsc::channel();
        let signals = sender.clone();
        let runtime = Builder::new_current_thread().enable_io().build()?;
        let entered = runtime.enter();
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        drop(entered);
        thread::spawn(move || {
            runtime.block_on(async {
                loop {
                    let event = tokio::select! {
                        _ = interrupt.recv() => Event::Interrupt,
                        _ = terminate.recv() => Event::Terminate,
                    };
                    if signals.send(event).is_err() {
                        return;
                    }
                }
            });
        });
        Ok(Self { arrived, sender })
    }

    /// Waits for the next one.
    pub fn next(&self) -> Event {
        // It cannot be that all senders are gone, as one is here.
        self.arrived.recv().unwrap_or(Event::Terminate)
    }

    /// Waits for the next one, and no longer than this.
    pub fn next_within(&self, patience: Duration) -> Option<Event> {
        self.arrived.recv_timeout(patience).ok()
    }

    /// Runs `work` beside, and sends the event that it returns.
    pub fn after(&self, work: impl FnOnce() -> Event + Send + 'static) {
        let sender = self.sender.clone();
        thread::spawn(move || {
            // Nobody listens any more when the process is about to end.
            let _ = sender.send(work());
        });
    }

    /// Sends an event when standard input has ended.
    pub fn watch_stdin(&self) {
        self.after(|| {
            let mut scrap = [0; 512];
            let mut stdin = io::stdin().lock();
            while matches!(stdin.read(&mut scrap), Ok(1..)) {}
            Event::StdinEnded
        });
    }
}

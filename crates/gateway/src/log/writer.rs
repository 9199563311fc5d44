//! The one thread that writes: takes all that waits, writes it with one write and one sync, tells those who wait.

use std::{
    io,
    sync::{Arc, atomic::Ordering},
    thread::JoinHandle,
};

use super::{
    error::AppendError,
    frame::{FrameAt, SegmentId},
    intake::{Planned, Waiter, Work},
    segment::SegmentWriter,
    shared::Shared,
};

pub fn start(shared: Arc<Shared>, first: SegmentWriter) -> io::Result<JoinHandle<()>> {
    let mut writer = Writer { shared, open: Some(first), pending: Vec::new() };
    std::thread::Builder::new().name("log-writer".to_owned()).spawn(move || writer.run())
}

struct Writer {
    shared: Arc<Shared>,
    open: Option<SegmentWriter>,
    /// Laid out in the open segment's buffer, not written yet.
    pending: Vec<(FrameAt, Option<Waiter>)>,
}

/// What the intake held.
struct Taken {
    queue: Vec<Work>,
    reopen: Vec<Waiter>,
    closing: bool,
}

impl Writer {
    fn run(&mut self) {
        loop {
            let taken = self.take();
            for work in taken.queue {
                self.perform(work);
            }
            self.commit();
            if !taken.reopen.is_empty() {
                self.reopen(taken.reopen);
            }
            if taken.closing {
                return self.end_open();
            }
        }
    }

    fn take(&self) -> Taken {
        let mut intake = self.shared.intake();
        while intake.queue.is_empty() && intake.reopen.is_empty() && !intake.closing {
            let woken = self.shared.wake.wait(intake);
            intake = woken.unwrap_or_else(|e| e.into_inner());
        }
        intake.queued_bytes = 0;
        Taken {
            queue: std::mem::take(&mut intake.queue),
            reopen: std::mem::take(&mut intake.reopen),
            closing: intake.closing,
        }
    }

    fn perform(&mut self, work: Work) {
        match work {
            Work::Record { segment, ordinal, row, payload, waiter } => match &mut self.open {
                Some(open) if open.id == segment => {
                    let at = open.push(ordinal, row, &payload);
                    self.pending.push((at, waiter));
                }
                _ => self.refuse(waiter),
            },
            Work::Rotate { to, waiter } => {
                self.commit();
                self.end_open();
                let outcome = self.begin(to);
                answer(waiter, outcome);
            }
            Work::Sync { waiter } => {
                self.commit();
                answer(Some(waiter), Ok(()));
            }
        }
    }

    /// Writes and syncs what is pending, shows it to readers, then answers those who wait for it.
    fn commit(&mut self) {
        let Some(open) = &mut self.open else { return };
        if self.pending.is_empty() {
            return;
        }
        if let Err(error) = open.commit() {
            let path = open.path().display().to_string();
            tracing::error!("log is not writable: `{path}`: {error}");
            return self.abandon();
        }
        let shared = &self.shared;
        if let Some(segment) = shared.segment(open.id) {
            segment.publish(self.pending.iter().map(|(at, _)| *at));
            segment.note(open.extent());
        }
        shared.batches.fetch_add(1, Ordering::Relaxed);
        let written = self.pending.len() as u64;
        shared.written.fetch_add(written, Ordering::Relaxed);
        for (_, waiter) in self.pending.drain(..) {
            answer(waiter, Ok(()));
        }
    }

    /// After a failed write: nobody knows what is on disk behind the last durable byte, so nothing may follow it.
    fn abandon(&mut self) {
        let refused = std::mem::take(&mut self.pending);
        if let Some(open) = &mut self.open {
            open.abandon_pending(u32::try_from(refused.len()).unwrap_or(u32::MAX));
            self.shared.stop_planning(open.id);
        }
        self.end_open();
        for (_, waiter) in refused {
            self.refuse(waiter);
        }
    }

    fn refuse(&self, waiter: Option<Waiter>) {
        if waiter.is_none() {
            self.shared.lost.fetch_add(1, Ordering::Relaxed);
        }
        answer(waiter, Err(AppendError::NotWritable));
    }

    /// Ends the open segment; it waits to be sealed from then on, or is removed if it is empty.
    fn end_open(&mut self) {
        let Some(mut open) = self.open.take() else {
            return;
        };
        // a segment without its end frame is read up to its last whole frame, so a failure here loses nothing
        if let Err(error) = open.close() {
            let path = open.path().display().to_string();
            tracing::warn!("log segment `{path}` could not be ended: {error}");
        }
        let shared = &self.shared;
        if open.records() == 0 {
            shared.segments_mut().remove(&open.id);
            let _ = std::fs::remove_file(open.path());
        } else {
            let bytes = std::fs::metadata(open.path()).map_or(0, |metadata| metadata.len());
            shared.unsealed_bytes.fetch_add(bytes, Ordering::SeqCst);
            if let Some(segment) = shared.segment(open.id) {
                segment.note(open.extent());
            }
        }
        shared.open.store(0, Ordering::SeqCst);
    }

    fn begin(&mut self, id: SegmentId) -> Result<(), AppendError> {
        match self.shared.create(id) {
            Ok(writer) => {
                self.open = Some(writer);
                Ok(())
            }
            Err(error) => {
                let directory = self.shared.directory().display();
                tracing::error!("no new log segment in `{directory}`: {error}");
                self.shared.stop_planning(id);
                Err(AppendError::NotWritable)
            }
        }
    }

    fn reopen(&mut self, waiters: Vec<Waiter>) {
        let outcome = match &self.open {
            Some(_) => Ok(()),
            None => {
                let id = self.shared.next_segment(&mut self.shared.intake());
                let begun = self.begin(id);
                if begun.is_ok() {
                    self.shared.intake().open = Some(Planned::new(id));
                }
                begun
            }
        };
        for waiter in waiters {
            answer(Some(waiter), outcome.clone());
        }
    }
}

/// The caller may have gone away meanwhile; its record stays.
fn answer(waiter: Option<Waiter>, outcome: Result<(), AppendError>) {
    if let Some(waiter) = waiter {
        let _ = waiter.send(outcome);
    }
}

//! The connections that are held at once, and which of them gives way: the one that has kept us waiting for longest.
//!
//! A connection either waits for us (a request is being answered) or keeps us waiting: for a head, for more of a body,
//! or for room to write. Only those that keep us waiting are ever closed to make room, so that no number of silent
//! connections shuts others out.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::sync::Notify;

/// Connections of one door.
#[derive(Debug)]
pub struct Connections {
    most: usize,
    opened: Instant,
    held: Mutex<Held>,
}

#[derive(Debug, Default)]
struct Held {
    next: u64,
    /// When a body was asked to go for the last time.
    body_cut: Option<Instant>,
    connections: BTreeMap<u64, Arc<Connection>>,
}

/// What is known of one connection while it is held.
#[derive(Debug)]
pub struct Connection {
    opened: Instant,
    /// Since when it keeps us waiting, in milliseconds after `opened`, plus 1; 0 while it does not.
    waiting_since: AtomicU64,
    /// A request is being answered, so that not every pause is the client's.
    is_answering: AtomicBool,
    /// Bytes of a body that are held in memory for it.
    pub body_bytes: AtomicUsize,
    /// How long that body is to become.
    pub body_len: AtomicUsize,
    /// More of the body has come than there is room for.
    wants_room: AtomicBool,
    cut: Notify,
}

/// A connection's place among those that are held; given up when it is dropped.
#[derive(Debug)]
pub struct Place {
    connections: Arc<Connections>,
    number: u64,
    pub connection: Arc<Connection>,
}

impl Connections {
    pub fn new(most: usize) -> Arc<Self> {
        Arc::new(Self { most, opened: Instant::now(), held: Mutex::default() })
    }

    /// A place for one more connection; `None` if there are as many as can be, and all of them wait for us.
    pub fn admit(self: &Arc<Self>) -> Option<Place> {
        let mut held = self.held();
        if held.connections.len() >= self.most {
            let longest = held.longest_waiting(|_| true)?;
            // its place is free at once; its task ends as soon as it runs
            held.connections.remove(&longest)?.cut.notify_one();
        }
        let connection = Arc::new(Connection::new(self.opened));
        let number = held.next;
        held.next += 1;
        held.connections.insert(number, connection.clone());
        Some(Place { connections: self.clone(), number, connection })
    }

    /// Closes the connection that has kept us waiting for longest; says whether there was one.
    pub fn cut_longest_waiting(&self) -> bool {
        self.cut_one(|_| true)
    }

    /// The same of those with a body in memory that have kept us waiting for some time. Where they only wait for room, and
    /// so for each other, the one gives way that is furthest from its end.
    ///
    /// However many ask: only one goes in a while, since what it held is free only when its task has ended.
    pub fn cut_body(&self, waiting: Duration, a_while: Duration) -> bool {
        if self.held().body_cut.is_some_and(|last| last.elapsed() < a_while) {
            return false;
        }
        let has_body = |one: &Connection| one.body_bytes.load(Ordering::Relaxed) > 0;
        let stands_still = |one: &Connection| one.waiting().is_some_and(|since| since >= waiting);
        let wants_room = |one: &Connection| one.wants_room.load(Ordering::SeqCst);
        let is_cut = self.cut_one(|one| has_body(one) && stands_still(one) && !wants_room(one))
            || (self.any(|one| stands_still(one) && wants_room(one))
                && self.cut_furthest(|one| has_body(one) && wants_room(one)));
        if is_cut {
            self.held().body_cut = Some(Instant::now());
        }
        is_cut
    }

    /// Closes all that have kept us waiting for some time.
    pub fn cut_waiting(&self, waiting: Duration) {
        while self.cut_one(|one| one.waiting().is_some_and(|since| since >= waiting)) {}
    }

    fn cut_one(&self, which: impl Fn(&Connection) -> bool) -> bool {
        let mut held = self.held();
        let found = held.longest_waiting(which).and_then(|number| held.connections.remove(&number));
        found.inspect(|connection| connection.cut.notify_one()).is_some()
    }

    fn any(&self, which: impl Fn(&Connection) -> bool) -> bool {
        self.held().connections.values().any(|one| which(one))
    }

    fn cut_furthest(&self, which: impl Fn(&Connection) -> bool) -> bool {
        let mut held = self.held();
        let standing = held.connections.iter().filter(|(_, one)| which(one));
        let furthest = standing.max_by_key(|(_, one)| one.body_awaited()).map(|(number, _)| *number);
        let found = furthest.and_then(|number| held.connections.remove(&number));
        found.inspect(|connection| connection.cut.notify_one()).is_some()
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Held {
    fn longest_waiting(&self, which: impl Fn(&Connection) -> bool) -> Option<u64> {
        let waiting = self.connections.iter().filter_map(|(number, connection)| {
            let since = connection.waiting_since.load(Ordering::Relaxed);
            (since > 0 && which(connection)).then_some((since, *number))
        });
        waiting.min().map(|(_, number)| number)
    }
}

impl Connection {
    fn new(opened: Instant) -> Self {
        let new = Self {
            opened,
            waiting_since: AtomicU64::new(0),
            is_answering: AtomicBool::new(false),
            body_bytes: AtomicUsize::new(0),
            body_len: AtomicUsize::new(0),
            wants_room: AtomicBool::new(false),
            cut: Notify::new(),
        };
        new.keeps_us_waiting();
        new
    }

    /// Resolves when the connection is to be closed.
    pub async fn is_cut(&self) {
        self.cut.notified().await;
    }

    /// A request has come; until what is returned is dropped, the client waits for us unless we find it waiting.
    pub fn answer(self: &Arc<Self>) -> Answering {
        self.is_answering.store(true, Ordering::Relaxed);
        self.waiting_since.store(0, Ordering::Relaxed);
        Answering(self.clone())
    }

    /// Since when it keeps us waiting is not changed by asking again.
    pub fn keeps_us_waiting(&self) {
        let now = u64::try_from(self.opened.elapsed().as_millis()).unwrap_or(u64::MAX - 1) + 1;
        let _ = self.waiting_since.compare_exchange(0, now, Ordering::Relaxed, Ordering::Relaxed);
    }

    /// What has come of a body can't be taken in yet, which is not the client's doing.
    pub fn wants_room(&self) {
        self.wants_room.store(true, Ordering::Relaxed);
        self.keeps_us_waiting();
    }

    /// It could be taken in, or was turned away.
    pub fn wants_room_no_more(&self) {
        // in this order: in between it must not look as if it stood still by itself
        self.moves();
        self.wants_room.store(false, Ordering::SeqCst);
    }

    /// Bytes came or went.
    pub fn moves(&self) {
        if self.is_answering.load(Ordering::Relaxed) {
            self.waiting_since.store(0, Ordering::Relaxed);
        }
    }

    fn body_awaited(&self) -> usize {
        self.body_len.load(Ordering::Relaxed).saturating_sub(self.body_bytes.load(Ordering::Relaxed))
    }

    fn waiting(&self) -> Option<Duration> {
        let since = self.waiting_since.load(Ordering::Relaxed).checked_sub(1)?;
        Some(self.opened.elapsed().saturating_sub(Duration::from_millis(since)))
    }
}

/// A request is being answered on a connection.
#[derive(Debug)]
pub struct Answering(Arc<Connection>);

impl Drop for Answering {
    fn drop(&mut self) {
        self.0.is_answering.store(false, Ordering::Relaxed);
        self.0.keeps_us_waiting();
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.connections.held().connections.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;

    fn is_cut(place: &Place) -> bool {
        place.connection.is_cut().now_or_never().is_some()
    }

    fn wait_a_little() {
        std::thread::sleep(Duration::from_millis(3));
    }

    #[test]
    fn the_one_that_waits_longest_gives_way_and_nobody_who_waits_for_us() {
        let connections = Connections::new(3);
        let answering = connections.admit().unwrap();
        let answer = answering.connection.answer();
        wait_a_little();
        let silent = connections.admit().unwrap();
        wait_a_little();
        let newer = connections.admit().unwrap();
        wait_a_little();
        let newest = connections.admit().unwrap();
        assert!(is_cut(&silent) && !is_cut(&newer) && !is_cut(&answering));
        let _answers = [newer.connection.answer(), newest.connection.answer()];
        assert!(connections.admit().is_none());
        drop(answer);
        assert!(connections.admit().is_some());
        assert!(is_cut(&answering));
    }

    #[test]
    fn a_place_is_free_when_its_connection_ends() {
        let connections = Connections::new(1);
        let place = connections.admit().unwrap();
        let answer = place.connection.answer();
        assert!(connections.admit().is_none());
        drop((answer, place));
        assert!(connections.admit().is_some());
    }

    #[test]
    fn only_bodies_that_stand_still_give_way_for_memory() {
        let connections = Connections::new(9);
        let (idle, moving) = (connections.admit().unwrap(), connections.admit().unwrap());
        let _answer = moving.connection.answer();
        moving.connection.body_bytes.store(9, Ordering::Relaxed);
        assert!(!connections.cut_body(Duration::ZERO, Duration::ZERO));
        moving.connection.keeps_us_waiting();
        assert!(!connections.cut_body(Duration::from_secs(9), Duration::ZERO));
        assert!(connections.cut_body(Duration::ZERO, Duration::ZERO));
        assert!(is_cut(&moving) && !is_cut(&idle));
        connections.cut_waiting(Duration::ZERO);
        assert!(is_cut(&idle));
    }

    #[test]
    fn who_only_waits_for_room_gives_way_last_and_who_is_furthest_from_its_end_first() {
        let connections = Connections::new(9);
        let places = [(7, 9), (5, 99), (5, 6)].map(|(bytes, len)| {
            let place = connections.admit().unwrap();
            place.connection.body_bytes.store(bytes, Ordering::Relaxed);
            place.connection.body_len.store(len, Ordering::Relaxed);
            wait_a_little();
            place
        });
        places[..2].iter().for_each(|place| place.connection.wants_room());
        let cut = || places.iter().position(is_cut);
        let order: Vec<Option<usize>> =
            (0..4).map(|_| connections.cut_body(Duration::ZERO, Duration::ZERO).then(cut).flatten()).collect();
        assert_eq!(order, [Some(2), Some(1), Some(0), None]);
    }

    #[test]
    fn however_many_ask_for_room_one_goes_at_a_time() {
        let connections = Connections::new(9);
        let places = [1, 2].map(|bytes| {
            let place = connections.admit().unwrap();
            place.connection.body_bytes.store(bytes, Ordering::Relaxed);
            place
        });
        let cut = || connections.cut_body(Duration::ZERO, Duration::from_secs(60));
        assert!(cut() && !cut() && !cut());
        assert_eq!(places.iter().filter(|place| is_cut(place)).count(), 1);
    }
}

//! Turns at something scarce: a bounded number at once, a bounded number in line, and no client before all others.
//!
//! Whoever waits stands in the line of their client; when a turn becomes free, the lines are served one after the other.
//! So a client that asks a thousand times waits for itself, and another that asks once waits for one turn.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::sync::oneshot;

/// The bounds of some turns. Those of a single client are lower than all together, so that there is room for others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TurnLimits {
    pub at_once: usize,
    /// Turns that one client has at once.
    pub at_once_each: usize,
    pub waiting: usize,
    /// Requests of one client that wait.
    pub waiting_each: usize,
    /// Whoever waited for so long is turned away.
    pub wait: Duration,
}

/// Why there is no turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoTurn {
    #[error("too many requests at once: {0} wait already")]
    LineFull(usize),
    #[error("too many requests at once: no turn came in {} s", .0.as_secs())]
    WaitedTooLong(Duration),
}

#[derive(Debug)]
pub struct Turns {
    limits: TurnLimits,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    taken: usize,
    taken_by: HashMap<Arc<str>, usize>,
    /// One line for each client that waits; the first is served next.
    lines: VecDeque<Line>,
}

#[derive(Debug)]
struct Line {
    client: Arc<str>,
    waiters: VecDeque<oneshot::Sender<Turn>>,
}

/// The right to go on, given back when it is dropped.
#[derive(Debug)]
#[must_use = "a turn ends when it is dropped"]
pub struct Turn {
    /// `None` if it was ended already.
    turns: Option<Arc<Turns>>,
    client: Arc<str>,
}

impl Turns {
    pub fn new(limits: TurnLimits) -> Arc<Self> {
        Arc::new(Self { limits, state: Mutex::default() })
    }

    /// Waits for a turn of a client.
    pub async fn take(self: &Arc<Self>, client: &str) -> Result<Turn, NoTurn> {
        let turn = match self.take_or_wait(client)? {
            Ok(turn) => return Ok(turn),
            Err(turn) => turn,
        };
        let wait = self.limits.wait;
        match tokio::time::timeout(wait, turn).await {
            Ok(Ok(turn)) => Ok(turn),
            Ok(Err(_)) | Err(_) => Err(NoTurn::WaitedTooLong(wait)),
        }
    }

    fn take_or_wait(self: &Arc<Self>, client: &str) -> Result<Result<Turn, oneshot::Receiver<Turn>>, NoTurn> {
        let limits = self.limits;
        let mut state = self.state();
        state.forget_those_who_left();
        let line = state.lines.iter().position(|line| &*line.client == client);
        if line.is_none() && state.may_begin(client, &limits) {
            return Ok(Ok(state.begin(self, client.into())));
        }
        let waiting = state.lines.iter().map(|line| line.waiters.len()).sum::<usize>();
        let waiting_of_client = line.map_or(0, |line| state.lines[line].waiters.len());
        if waiting >= limits.waiting || waiting_of_client >= limits.waiting_each {
            return Err(NoTurn::LineFull(waiting));
        }
        let (sender, receiver) = oneshot::channel();
        match line {
            Some(line) => state.lines[line].waiters.push_back(sender),
            None => state.lines.push_back(Line { client: client.into(), waiters: [sender].into() }),
        }
        Ok(Err(receiver))
    }

    fn end(self: &Arc<Self>, client: &Arc<str>) {
        let mut state = self.state();
        state.give_back(client);
        state.forget_those_who_left();
        while let Some(at) = state.lines.iter().position(|line| state.may_begin(&line.client, &self.limits)) {
            let Some(mut line) = state.lines.remove(at) else { return };
            let Some(waiter) = line.waiters.pop_front() else { continue };
            let turn = state.begin(self, line.client.clone());
            if !line.waiters.is_empty() {
                state.lines.push_back(line);
            }
            if let Err(mut turn) = waiter.send(turn) {
                // gone at this very moment; ended here, as the turn itself could not take the lock that is held
                turn.turns = None;
                state.give_back(&turn.client);
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn may_begin(&self, client: &str, limits: &TurnLimits) -> bool {
        self.taken < limits.at_once && self.taken_by.get(client).is_none_or(|taken| *taken < limits.at_once_each)
    }

    fn begin(&mut self, turns: &Arc<Turns>, client: Arc<str>) -> Turn {
        self.taken += 1;
        *self.taken_by.entry(client.clone()).or_default() += 1;
        Turn { turns: Some(turns.clone()), client }
    }

    fn give_back(&mut self, client: &str) {
        self.taken -= 1;
        if let Some(taken) = self.taken_by.get_mut(client) {
            *taken -= 1;
            if *taken == 0 {
                self.taken_by.remove(client);
            }
        }
    }

    fn forget_those_who_left(&mut self) {
        for line in &mut self.lines {
            line.waiters.retain(|waiter| !waiter.is_closed());
        }
        self.lines.retain(|line| !line.waiters.is_empty());
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if let Some(turns) = self.turns.take() {
            turns.end(&self.client);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: TurnLimits =
        TurnLimits { at_once: 2, at_once_each: 2, waiting: 4, waiting_each: 3, wait: Duration::from_secs(60) };

    fn wait(turns: &Arc<Turns>, client: &str) -> Result<Result<Turn, oneshot::Receiver<Turn>>, NoTurn> {
        turns.take_or_wait(client)
    }

    fn waiter(turns: &Arc<Turns>, client: &str) -> oneshot::Receiver<Turn> {
        wait(turns, client).unwrap().expect_err("there is no turn yet")
    }

    #[tokio::test]
    async fn lines_are_served_one_after_the_other() {
        let turns = Turns::new(TurnLimits { at_once: 1, ..LIMITS });
        let first = turns.take("a").await.unwrap();
        let mut greedy = [(); 3].map(|()| waiter(&turns, "a"));
        let mut modest = waiter(&turns, "b");
        drop(first);
        let second = greedy[0].try_recv().unwrap();
        assert!(modest.try_recv().is_err());
        drop(second);
        let third = modest.try_recv().unwrap();
        assert!(greedy[1].try_recv().is_err());
        drop(third);
        assert!(greedy[1].try_recv().is_ok());
    }

    #[tokio::test]
    async fn what_does_not_fit_is_turned_away_and_one_client_leaves_room() {
        let turns = Turns::new(LIMITS);
        let _held = [turns.take("a").await.unwrap(), turns.take("a").await.unwrap()];
        let _line = [(); 3].map(|()| waiter(&turns, "a"));
        assert_eq!(wait(&turns, "a").unwrap_err(), NoTurn::LineFull(3));
        let last = waiter(&turns, "b");
        assert_eq!(wait(&turns, "c").unwrap_err(), NoTurn::LineFull(4));
        drop(last);
        let _now = waiter(&turns, "c");
        let turns = Turns::new(TurnLimits { at_once_each: 1, ..LIMITS });
        let _one = turns.take("a").await.unwrap();
        let _two = waiter(&turns, "a");
        assert!(wait(&turns, "b").unwrap().is_ok());
    }

    #[tokio::test]
    async fn whoever_leaves_gives_the_turn_to_the_next() {
        let turns = Turns::new(TurnLimits { at_once: 1, ..LIMITS });
        let held = turns.take("a").await.unwrap();
        drop(waiter(&turns, "a"));
        let mut stays = waiter(&turns, "a");
        drop(held);
        let given = stays.try_recv().unwrap();
        drop(given);
        // given and never looked at
        let held = turns.take("a").await.unwrap();
        let left = waiter(&turns, "b");
        drop(held);
        drop(left);
        assert!(wait(&turns, "c").unwrap().is_ok());
    }

    #[tokio::test]
    async fn a_wait_ends() {
        let turns = Turns::new(TurnLimits { at_once: 1, wait: Duration::from_millis(10), ..LIMITS });
        let _held = turns.take("a").await.unwrap();
        assert_eq!(turns.take("a").await.unwrap_err(), NoTurn::WaitedTooLong(Duration::from_millis(10)));
    }
}

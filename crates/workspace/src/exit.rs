//! How a command ended.

use stemma_core::record::ExitStatus;
use stemma_runner::Exit;

/// As records say it.
pub(crate) fn status(exit: Exit) -> ExitStatus {
    match exit {
        Exit::Code(code) => ExitStatus::Code(code),
        Exit::Signal(signal) => ExitStatus::Signal(signal),
    }
}

/// Signals by which people end what they started: hang-up, interrupt, quit, terminate.
pub(crate) const fn is_interrupt(signal: i32) -> bool {
    matches!(signal, 1 | 2 | 3 | 15)
}

pub(crate) fn ended(exit: ExitStatus) -> String {
    match exit {
        ExitStatus::Code(code) => format!("exit code {code}"),
        ExitStatus::Signal(signal) => format!("signal {signal}"),
        ExitStatus::Unknown => "an exit that nobody saw".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_a_person_sends_interrupts() {
        let interrupts: Vec<i32> = (1..=64).filter(|signal| is_interrupt(*signal)).collect();
        assert_eq!(interrupts, [1, 2, 3, 15]);
        assert_eq!(ended(status(Exit::Signal(9))), "signal 9");
        assert_eq!(ended(status(Exit::Code(2))), "exit code 2");
    }
}

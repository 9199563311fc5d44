//! What noting an access costs a request.
//!
//! `cargo run --release -p stemma-gateway --example access -- [FOLDER]`

use std::{path::PathBuf, sync::Arc, time::Instant};

use stemma_core::{
    SystemClock, Timestamp,
    access_log::{Access, AccessLimits, AccessOutcome, written_address},
    record::Auth,
    rights::Action,
};
use stemma_gateway::{ACCESS_OPTIONS, AccessLog};

const ROUNDS: u32 = 200;
const EACH: u32 = 5_000;
const PATH: &str =
    "/api/v1/projects/credit/content/b3:af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262";

fn access(address: &str, auth: Option<Auth>) -> Result<Access, Box<dyn std::error::Error>> {
    Ok(Access {
        time: Timestamp(1_772_366_400_000_000),
        by: Some("shop@example.org".parse()?),
        auth,
        token: None,
        from: address.to_owned(),
        act: "GET /api/v1/projects/{project}/content/{digest}".to_owned(),
        action: Action::Read,
        project: Some("credit".parse()?),
        endpoint: None,
        thing: written_address(PATH),
        outcome: AccessOutcome::Allowed,
    })
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = tempfile::tempdir()?;
    let at = std::env::args().nth(1).map_or(folder.path().to_owned(), PathBuf::from);
    let all = AccessLimits { proved_each: u32::MAX, ..AccessLimits::default() };
    for (what, limits, auth) in [
        ("written one by one", all, Some(Auth::Authenticated)),
        ("counted, of a stranger", AccessLimits::default(), None),
    ] {
        let log = AccessLog::open(&at, Arc::new(SystemClock), ACCESS_OPTIONS, limits)?;
        let (mut making, mut noting, mut flushing) = (0, 0, 0);
        for _ in 0..ROUNDS {
            let begun = Instant::now();
            let made = (0..EACH).map(|_| access("203.0.113.9", auth)).collect::<Result<Vec<_>, _>>()?;
            making += begun.elapsed().as_nanos();
            let begun = Instant::now();
            made.into_iter().for_each(|one| log.note(one));
            noting += begun.elapsed().as_nanos();
            let begun = Instant::now();
            log.flush().await?;
            flushing += begun.elapsed().as_nanos();
        }
        let all = u128::from(ROUNDS) * u128::from(EACH);
        println!(
            "{what}: {} ns to make an entry, {} ns to note it, {} ns to flush it",
            making / all,
            noting / all,
            flushing / all
        );
    }
    Ok(())
}

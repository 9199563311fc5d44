//! `cargo xtask demo`: the main story on real data, every step typed into the real binary and checked.

mod audit;
mod complaint;
mod data;
mod governance;
mod numbers;
mod offer;
mod serving;
mod story;
mod training;

use std::{net::TcpListener, os::unix::process::CommandExt as _, time::Instant};

use anyhow::{Context as _, Result};
use clap::{Args, ValueEnum};

use crate::{
    checkout::{Checkout, Profile},
    desk::{CREDIT_SCORING, Desk},
    digits, flights,
    length::Length,
    setup,
};

pub use story::Story;

/// What a story is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Subject {
    /// Credit applications: the main story
    Credit,
    /// Flights from three sources
    Flights,
    /// Images of digits, and patients
    Digits,
    /// A hospital with many models, and its auditor
    Governance,
}

/// Play the main story on real data, from a CSV file to an explained prediction
#[derive(Debug, Args)]
pub struct DemoArgs {
    /// What it is about; the server goes on only behind the main story
    #[arg(value_enum, default_value_t = Subject::Credit)]
    subject: Subject,
    /// Stop the server at the end; fail if a step did not hold
    #[arg(long)]
    once: bool,
    /// Where the server listens on 127.0.0.1; 0 takes a free port
    #[arg(long, default_value_t = 7878)]
    port: u16,
    /// With `--once`: leave the workspace to be looked at
    #[arg(long, requires = "once")]
    keep: bool,
}

type Step = fn(&mut Story) -> Result<()>;

const STEPS: [(&str, Step); 22] = [
    ("A Git repository becomes a workspace", data::init),
    ("The data becomes content with a name, a number and a source", data::add_source),
    ("A run splits it, and both halves become content", data::split),
    ("A shallow tree is trained by a script that knows nothing of Stemma", training::tree),
    ("Gradient boosting", training::boosting),
    ("Logistic regression", training::logistic),
    ("Boosting without the protected attributes", training::without_protected),
    ("The numbers can be computed again by somebody else", training::compare_with_scikit_learn),
    ("Promotion needs evidence, and says which", governance::refused_without_evidence),
    ("Gates, and the yes of somebody else", governance::gates_and_approval),
    ("Into production", governance::promote),
    ("Applicants are scored", serving::deploy_and_ask),
    ("What came of some of them", serving::feedback),
    ("A customer complains: why?", complaint::explain),
    ("A second model, which is fed by the first", offer::limit_model),
    ("Both behind one endpoint, and a rule above them", offer::compose),
    ("Another version for some of the customers", offer::canary),
    ("The way back", offer::roll_back),
    ("A batch, and who is touched by what", offer::batch),
    ("The champion is made again elsewhere", offer::reproduce),
    ("The ledger proves that nothing was altered, and finds what was", audit::verify_and_tamper),
    ("What was answered before a crash is there after it", audit::crash),
];

pub fn run(args: &DemoArgs) -> Result<()> {
    let checkout = Checkout::find()?;
    match args.subject {
        Subject::Credit => main_story(&checkout, args),
        Subject::Flights => flights::play(&checkout, "demo-flights", Profile::Dev),
        Subject::Digits => digits::play(&checkout, "demo-digits", Profile::Dev),
        Subject::Governance => crate::governance::play(&checkout, "demo-governance", Profile::Dev, Length::Long),
    }
}

fn main_story(checkout: &Checkout, args: &DemoArgs) -> Result<()> {
    let mut story = play(checkout, "demo", Profile::Dev, args.port)?;
    let page = story.complaint_page();
    story.stop_server()?;
    if args.once {
        if !args.keep {
            std::fs::remove_dir_all(&story.desk.folder).context("the demo's folder can't be removed")?;
        }
        return Ok(());
    }
    println!("\nThe server goes on at http://{}/ until Ctrl-C.", story.address()?);
    println!("Begin with the explained prediction: {page}");
    println!("The workspace is `{}`; to type in it yourself:\n", story.desk.work.display());
    println!("    export STEMMA_CONFIG_DIR={}", story.desk.folder.join("config").display());
    println!("    export PATH={}:{}:$PATH\n", story.binaries().display(), story.desk.python.programs().display());
    let listen = story.address()?.to_string();
    // in the place of this process, so that Ctrl-C reaches it and nothing else
    Err(story.desk.stemma(&["serve", "--listen", &listen])?.exec()).context("the server can't be started again")
}

/// Plays all steps in a folder of this name and returns the story with its server running.
///
/// Fails at the first step that does not hold.
pub fn play(checkout: &Checkout, folder: &str, profile: Profile, port: u16) -> Result<Story> {
    check_port(port)?;
    setup::ensure_program("git", "git")?;
    let python = setup::example_python(checkout)?;
    let stemma = checkout.build_product(profile)?;
    let began = Instant::now();
    let desk = Desk::fresh(checkout, &CREDIT_SCORING, folder, &stemma, &python)?;
    let mut story = Story::new(desk, stemma, port);
    println!("The story of a credit decision, on 1,000 real applications, in `{}`", story.desk.work.display());
    for (index, (title, step)) in STEPS.iter().enumerate() {
        let number = index + 1;
        println!("\n{number}. {title}");
        step(&mut story).with_context(|| format!("step {number} ({title}) does not hold"))?;
    }
    println!("\nAll {} steps held, in {:.1} s.", STEPS.len(), began.elapsed().as_secs_f64());
    Ok(story)
}

/// Says so at once if the server could not listen later.
fn check_port(port: u16) -> Result<()> {
    let listened = TcpListener::bind(("127.0.0.1", port));
    listened.map(drop).with_context(|| format!("port {port} is not free; choose another with `--port`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_in_use_is_said_before_anything_else() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = taken.local_addr().unwrap().port();
        assert!(check_port(port).unwrap_err().to_string().contains("choose another"));
        assert!(check_port(0).is_ok());
    }
}

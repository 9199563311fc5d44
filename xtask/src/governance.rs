//! An auditor asks: a hospital's registry of three projects, 12 people and 2,000 versions; what is decided in it by several
//! people; and ten questions about all that, answered from the command line and again from pages in a real browser.

mod answers;
mod decisions;
mod facts;
mod hospital;
mod pages;
mod people;
mod projects;
mod registry;
mod staff;

use std::time::Instant;

use anyhow::Result;

use self::{facts::Facts, hospital::Hospital};
use crate::{
    checkout::{Checkout, Profile},
    desk::{Desk, HOSPITAL},
    length::Length,
    server::Server,
    setup,
    typing::say,
};

/// Plays the story in a folder of this name; fails at the first thing that does not hold. The short form has fewer versions of
/// each model, and all else.
///
/// The registry, and pictures of the pages, are left below the folder.
pub fn play(checkout: &Checkout, folder: &str, profile: Profile, length: Length) -> Result<()> {
    setup::ensure_browser()?;
    let python = setup::example_python(checkout)?;
    let stemma = checkout.build_product(profile)?;
    let began = Instant::now();
    let desk = Desk::fresh(checkout, &HOSPITAL, folder, &stemma, &python)?;
    println!("The story of an auditor, in `{}`", desk.work.display());
    hospital::found(&desk)?;
    let server = Server::start(&desk, 0)?;
    let mut hospital = Hospital::new(desk, server);
    let mut facts = Facts::default();
    staff::come(&mut hospital)?;
    registry::fill(&hospital, length, &mut facts)?;
    decisions::decide(&hospital, &mut facts)?;
    let filled = began.elapsed();
    answers::ask(&hospital, &facts)?;
    let answered = began.elapsed();
    pages::ask(&hospital, &facts)?;
    say(&format!(
        "Made in {:.1} s, asked by commands in {:.1} s, in the browser in {:.1} s.",
        filled.as_secs_f64(),
        (answered - filled).as_secs_f64(),
        (began.elapsed() - answered).as_secs_f64()
    ));
    hospital.server.stop()?;
    println!("\nThe story of the auditor held, in {:.1} s.", began.elapsed().as_secs_f64());
    Ok(())
}

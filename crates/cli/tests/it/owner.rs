//! A home has one owner process at a time.

use std::{fs::File, process::Stdio};

use crate::desk::{Desk, Done};

#[test]
fn a_home_that_a_living_process_holds_names_that_process() {
    let desk = Desk::new();
    desk.write("stemma.toml", "");
    desk.write(".stemma/home.json", r#"{"format":1,"home":"01990000000070008000000000000001"}"#);
    let lock = File::create(desk.work().join(".stemma/owner.lock")).unwrap();
    lock.lock().unwrap();
    desk.write(".stemma/owner.lock", "4242 0\n");
    for command in ["models", "serve"] {
        let done = Done::of(desk.command(&[command]).env("STEMMA_LOCK_WAIT", "0").output().unwrap());
        assert_eq!(done.code, 9, "{done:#?}");
        assert_eq!(
            desk.neutral(&done.stderr),
            "error: the home `DESK/project/.stemma` is in use by process 4242 since 1970-01-01T00:00:00Z\n\
             hint: wait until it ends, or stop it\n"
        );
    }
    let done = Done::of(desk.command(&["models"]).env("STEMMA_LOCK_WAIT", "soon").output().unwrap());
    assert_eq!(done.code, 2);
    assert_eq!(done.stderr, "error: `STEMMA_LOCK_WAIT` is `soon`, expected whole seconds\n");
}

#[test]
fn commands_at_the_same_time_wait_for_each_other() {
    let desk = Desk::with_home();
    let names = ["a", "b", "c", "d"];
    let started = names.map(|name| {
        desk.write(&format!("{name}.csv"), name);
        desk.command(&["add", &format!("{name}.csv")]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    });
    for child in started {
        let done = Done::of(child.wait_with_output().unwrap());
        assert_eq!(done.code, 0, "{done:#?}");
    }
    for name in names {
        assert!(desk.ok(&["show", &format!("{name}@1")]).contains(&format!("{name}.csv")));
    }
    assert!(desk.ok(&["status"]).starts_with("4 tracked paths, all as in stemma.lock"));
}

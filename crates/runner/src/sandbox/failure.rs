/// What could not be raised, and the kernel's reason.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Failure {
    pub what: &'static str,
    pub errno: i32,
}

impl Failure {
    pub(super) fn at(what: &'static str) -> impl Fn(i32) -> Self + Copy {
        move |errno| Self { what, errno }
    }
}

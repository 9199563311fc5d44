//! How acts are written down.

/// Declares acts below a prefix. One act reads
///
/// ```text
/// NAME as method: POST /models/{model: ModelName}/promote ? Query, Request => Answer,
///     Right in Scope, Weight, "one line";
/// ```
///
/// Query and request may be left out. With `at any time` behind the scope it can be asked about the past too: then its
/// query has `at`, and its answer says `as_of`. With `as method` the client gets a method: it takes the path's parameters in
/// their order, the query and the request. All that was declared is in `ALL`.
#[macro_export]
macro_rules! declare {
    ($prefix:literal; $(
        $(#[$doc:meta])*
        $name:ident $(as $function:ident)?: $method:ident $(/ $segment:tt)+ $(? $query:ty)? $(, $request:ty)? => $answer:ty,
        $action:ident in $scope:ident $(at any $time:ident)?, $weight:ident, $summary:literal;
    )*) => {
        $(
            $(#[$doc])*
            pub static $name: $crate::act::Act<
                $crate::declare_path!([] $($segment)+),
                $crate::declare_or!($crate::act::NoQuery $(, $query)?),
                $crate::declare_or!($crate::act::Nothing $(, $request)?),
                $answer,
            > = $crate::act::Act::new($crate::act::Declaration {
                method: $crate::act::Method::$method,
                pattern: concat!($prefix $(, "/", $crate::declare_segment!($segment))+),
                action: $crate::act::Action::$action,
                scope: $crate::act::Scope::$scope,
                at_any_time: $crate::declare_is!($($time)?),
                weight: $crate::act::Weight::$weight,
                summary: $summary,
                query: |generator| {
                    <$crate::declare_or!($crate::act::NoQuery $(, $query)?) as $crate::act::JsonSchema>::json_schema(generator)
                },
                request: <$crate::declare_or!($crate::act::Nothing $(, $request)?) as $crate::act::Payload>::FORM,
                answer: <$answer as $crate::act::Payload>::FORM,
            });
        )*

        /// Every act that is declared here.
        pub static ALL: &[&$crate::act::Declaration] = &[$(&$name.declaration),*];

        $(
            $crate::declare_method! {
                [$($function)? => $answer: $name $(#[$doc])*] [$(query: $query)?] [$(request: $request)?] [] $($segment)+
            }
        )*
    };
}

/// Whether something was said.
#[doc(hidden)]
#[macro_export]
macro_rules! declare_is {
    () => {
        false
    };
    (time) => {
        true
    };
}

/// The text of a segment in a pattern.
#[doc(hidden)]
#[macro_export]
macro_rules! declare_segment {
    ({$name:ident: $type:ty}) => {
        concat!("{", stringify!($name), "}")
    };
    ($word:ident) => {
        stringify!($word)
    };
    ($text:literal) => {
        $text
    };
}

/// The second of two if there is one.
#[doc(hidden)]
#[macro_export]
macro_rules! declare_or {
    ($default:ty) => {
        $default
    };
    ($default:ty, $given:ty) => {
        $given
    };
}

/// The tuple of the types of a path's parameters.
#[doc(hidden)]
#[macro_export]
macro_rules! declare_path {
    ([$($type:ty,)*]) => { ($($type,)*) };
    ([$($type:ty,)*] {$name:ident: $next:ty} $($rest:tt)*) => { $crate::declare_path!([$($type,)* $next,] $($rest)*) };
    ([$($type:ty,)*] $word:tt $($rest:tt)*) => { $crate::declare_path!([$($type,)*] $($rest)*) };
}

/// The client's method for an act, if it has one.
#[doc(hidden)]
#[macro_export]
macro_rules! declare_method {
    ([=> $($head:tt)*] $($rest:tt)*) => {};
    ($head:tt $query:tt $request:tt [$($done:tt)*] {$name:ident: $type:ty} $($rest:tt)*) => {
        $crate::declare_method! { $head $query $request [$($done)* $name: $type,] $($rest)* }
    };
    ($head:tt $query:tt $request:tt $done:tt $word:tt $($rest:tt)+) => {
        $crate::declare_method! { $head $query $request $done $($rest)+ }
    };
    ($head:tt $query:tt $request:tt $done:tt $word:tt) => {
        $crate::declare_method! { $head $query $request $done }
    };
    (
        [$function:ident => $answer:ty: $act:ident $(#[$doc:meta])*]
        [$($query:ident: $query_type:ty)?] [$($request:ident: $request_type:ty)?] [$($name:ident: $type:ty,)*]
    ) => {
        impl $crate::Client {
            $(#[$doc])*
            pub async fn $function(
                &self,
                $($name: <$type as $crate::act::Parameter>::Given<'_>,)*
                $($query: &$query_type,)?
                $($request: &$request_type,)?
            ) -> Result<$answer, stemma_core::Problem> {
                let query = $crate::declare_given!(&$crate::act::NoQuery {} $(, $query)?);
                let request = $crate::declare_given!(&$crate::act::Nothing $(, $request)?);
                self.call(&$act, ($($name,)*), query, request).await
            }
        }
    };
}

/// The second of two if there is one.
#[doc(hidden)]
#[macro_export]
macro_rules! declare_given {
    ($default:expr) => {
        $default
    };
    ($default:expr, $given:expr) => {
        $given
    };
}

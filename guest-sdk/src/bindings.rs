//! What wit-bindgen makes of `wit/`. Generated names stay in here: the rest of
//! the crate wraps them, and drivers never see one.

#![allow(
    missing_docs,
    unreachable_pub,
    unsafe_code,
    unused_qualifications,
    clippy::all,
    clippy::pedantic,
    reason = "generated code; the lints are for what people write"
)]

wit_bindgen::generate!({
    path: "../wit",
    world: "driver",
    pub_export_macro: true,
    export_macro_name: "export_handlers",
});

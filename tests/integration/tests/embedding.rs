//! The example of the embedding API does what it says.

#[expect(dead_code, reason = "its `main` is for the command line")]
#[path = "../../../host/runtime/examples/embed.rs"]
mod embed;

#[test]
fn the_example_does_all_of_it_without_the_program() {
    let leavings = tempfile::tempdir().unwrap();
    let components = loopgate_integration::target().join("drivers");
    embed::embed(&components, leavings.path()).unwrap();
}

//! The suite that every backend must hold to, as far as it holds for pods.
//!
//! Left out, beside what takes a backend apart: memory and the calls that seccomp forbids, which the nodes of a real cluster
//! keep and ours does not; the exact number of processes and names, which Kubernetes does not limit; that nothing but the
//! command and PID 1 is seen inside, and that PID 1 has another user, since a container has one user; descriptors of this
//! process, of which our node is a part.

use std::sync::Arc;
use std::time::Duration;

use basis_sandbox::Backend;
use basis_sandbox::backends::{self, KubernetesOptions, Options};

#[allow(dead_code, reason = "not every fact holds for pods")]
#[path = "../conformance/commands.rs"]
mod commands;
#[allow(dead_code, reason = "not every fact holds for pods")]
#[path = "../conformance/differences.rs"]
mod differences;
#[allow(dead_code, reason = "not every fact holds for pods")]
#[path = "../conformance/isolation.rs"]
mod isolation;
#[allow(dead_code, reason = "not every fact holds for pods")]
#[path = "../conformance/limits.rs"]
mod limits;
#[allow(dead_code, reason = "not every fact holds for pods")]
#[path = "../conformance/paths.rs"]
mod paths;
#[allow(dead_code, reason = "not every fact holds for pods")]
#[path = "../conformance/specification.rs"]
mod specification;

/// Makes a test of each function.
macro_rules! suite {
    ($($module:ident: $($fact:ident)*;)*) => {
        $(mod $module {
            $(#[test]
            fn $fact() {
                super::super::on_a_cluster(super::super::$module::$fact);
            })*
        })*
    };
}

mod facts {
    suite! {
        commands:
            arguments_and_directory_arrive_as_given
            the_environment_is_exactly_what_was_given
            the_three_streams_are_kept_apart
            without_a_report_channel_there_is_no_third_descriptor
            input_arrives_whole_and_then_ends
            input_that_nobody_reads_does_not_block
            a_command_ends_with_its_status_or_signal
            a_program_that_cannot_start_is_an_output
            a_daemon_that_holds_the_output_open_does_not_block
            what_a_command_leaves_in_its_session_is_killed
            a_daemon_lives_on_between_commands;
        paths:
            bytes_come_back_as_they_were_written
            writing_keeps_the_mode_and_makes_parents
            commands_see_what_the_host_writes_and_the_other_way_round
            reading_says_what_is_wrong
            links_are_never_followed
            fifos_do_not_block
            what_is_made_unreadable_is_read_all_the_same;
        differences:
            nothing_changed_is_no_change
            each_kind_of_change_is_listed
            a_directory_made_anew_shows_what_is_gone
            a_file_and_a_directory_can_take_each_others_place
            the_layers_stay_as_they_were
            hostile_trees_are_listed_in_bounded_time;
        specification:
            later_layers_win
            mounts_are_shown_and_cannot_be_written
            a_private_directory_can_be_shown
            a_wrong_specification_is_an_error_that_names_the_path;
        isolation:
            there_is_no_network_but_loopback
            the_system_is_read_only
            commands_are_not_root_on_the_host
            sandboxes_share_nothing;
        limits:
            the_wall_limit_kills_everything
            the_wall_limit_of_the_sandbox_is_an_upper_bound
            a_fork_bomb_is_contained
            a_full_disk_is_an_error_inside
            output_is_cut_and_counted
            a_flood_of_output_ends;
    }
}

/// Runs `check` in the real cluster that was named, or else in one of our own.
fn on_a_cluster(check: fn(&dyn Backend)) {
    if let Some(kubeconfig) = std::env::var_os("BASIS_TEST_KUBECONFIG") {
        let image =
            std::env::var("BASIS_TEST_IMAGE").expect("BASIS_TEST_IMAGE names an image for BASIS_TEST_KUBECONFIG");
        let namespace = std::env::var("BASIS_TEST_NAMESPACE").unwrap_or_else(|_| "basis".into());
        let kubernetes = KubernetesOptions {
            kubeconfig: Some(kubeconfig.into()),
            image,
            namespace,
            start: Duration::from_secs(300),
            ..KubernetesOptions::default()
        };
        let backend: Arc<dyn Backend> =
            backends::open_with("kubernetes", &Options { kubernetes, ..Options::default() }).expect("opened");
        return check(backend.as_ref());
    }
    if let Some(cluster) = crate::start() {
        check(crate::open(&cluster).as_ref());
    }
}

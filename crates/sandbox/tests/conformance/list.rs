//! The facts that every backend must hold to, by the file that shows them, and what a backend is not asked for. Both suites that run
//! them have this list, from which `docs/reference/conformance.md` is made.

/// Hands all facts to the macro of this name.
macro_rules! facts {
    ($suite:ident) => {
        $suite! {
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
            programs:
                an_interpreter_gets_what_it_needs
                a_compiler_gets_what_it_needs
                processes_can_look_at_each_other;
            shells:
                directory_variables_functions_and_status_live_on
                a_line_is_as_separate_as_a_command
                background_jobs_live_on_and_are_not_heard_later
                a_shell_that_ends_is_followed_by_a_new_one
                a_line_that_runs_out_of_time_takes_the_shell_along;
            interrupts:
                output_arrives_while_the_command_runs
                a_sink_gets_all_of_both_streams
                a_command_is_interrupted_from_another_thread
                a_line_is_interrupted_and_its_shell_lives_on;
            copies:
                a_fork_goes_on_from_the_same_files
                a_fork_has_the_same_mounts_and_limits
                a_snapshot_is_a_layer_that_shows_the_same
                what_stands_tells_whether_a_command_left_anything
                nothing_moves_while_files_are_copied;
            sizes:
                ten_megabytes_go_in_and_out
                a_hundred_thousand_files_are_listed
                names_are_any_text
                names_that_are_not_text_are_listed_as_such
                files_with_holes_cost_what_is_in_them
                whatever_modes_are_left_behind_is_listed
                the_clock_is_that_of_the_machine_and_cannot_be_set;
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
                a_mount_can_be_shown_inside_another_one
                a_private_directory_can_be_shown
                a_wrong_specification_is_an_error_that_names_the_path;
            isolation:
                there_is_no_network_but_loopback
                a_listener_inside_is_reached_by_its_own_commands_only
                files_of_the_host_are_invisible
                the_system_is_read_only
                processes_of_the_host_are_invisible
                commands_have_no_capabilities_and_get_none
                commands_are_not_root_on_the_host
                the_first_process_can_be_neither_killed_nor_read
                descriptors_of_the_host_are_not_inherited
                sandboxes_share_nothing;
            limits:
                the_wall_limit_kills_everything
                the_wall_limit_of_the_sandbox_is_an_upper_bound
                a_memory_bomb_ends_alone
                memory_is_summed_over_processes
                processes_are_limited
                a_fork_bomb_is_contained
                a_daemon_that_leaves_no_room_does_not_break_the_sandbox
                a_limit_of_processors_is_kept_or_refused
                limits_of_processes_and_processors_stand_in_control_groups
                a_full_disk_is_an_error_inside
                names_on_disk_are_limited
                output_is_cut_and_counted
                a_flood_of_output_ends;
            lifetime:
                freezing_kills_daemons_and_keeps_the_view
                destroying_twice_is_fine
                a_sandbox_outlives_its_backend_handle_and_changes_threads
                many_threads_create_at_once
                two_hundred_sandboxes_live_at_once
                sandboxes_beyond_the_limit_of_descriptors_work_like_others
                nothing_is_left_after_drop
                nothing_is_left_after_the_controller_is_killed;
        }
    };
}
pub(crate) use facts;

/// A fact and the test that shows it.
pub(crate) struct Fact {
    /// What it is about: the file.
    pub(crate) about: &'static str,
    pub(crate) name: &'static str,
    pub(crate) check: fn(&dyn basis_sandbox::Backend),
}

macro_rules! all {
    ($($module:ident: $($fact:ident)*;)*) => {
        /// All facts, in the order of the list.
        pub(crate) const ALL: &[Fact] = &[$($(
            Fact { about: stringify!($module), name: stringify!($fact), check: crate::$module::$fact },
        )*)*];
    };
}
facts!(all);

/// Why a backend is not asked for a fact.
#[derive(Clone, Copy)]
enum Why {
    /// It has no such operation.
    Unsupported(&'static str),
    /// Another suite shows it.
    Elsewhere(&'static str),
    /// What runs the containers of a pod has to see to it.
    Node(&'static str),
    /// It does not hold.
    Open(&'static str),
    /// It would show nothing, or take too long.
    NotTried(&'static str),
}

const FORKS: Why = Why::Unsupported("it does not fork");
const ENGINE: Why = Why::Elsewhere("containers");
const CLUSTER: Why = Why::Elsewhere("kubernetes");

/// What a backend is not asked for: backend, fact, reason.
const NOT_ASKED: &[(&str, &str, Why)] = &[
    ("container", "a_fork_goes_on_from_the_same_files", FORKS),
    ("container", "a_fork_has_the_same_mounts_and_limits", FORKS),
    ("container", "nothing_moves_while_files_are_copied", FORKS),
    ("container", "two_hundred_sandboxes_live_at_once", Why::NotTried("an engine takes minutes to start as many")),
    (
        "container",
        "sandboxes_beyond_the_limit_of_descriptors_work_like_others",
        Why::NotTried("nobody can hold descriptors in place of the controller"),
    ),
    ("container", "nothing_is_left_after_drop", ENGINE),
    ("container", "nothing_is_left_after_the_controller_is_killed", ENGINE),
    (
        "kubernetes",
        "a_listener_inside_is_reached_by_its_own_commands_only",
        Why::Unsupported("nothing hands a socket of a pod to the controller"),
    ),
    (
        "kubernetes",
        "processes_of_the_host_are_invisible",
        Why::Open("what starts commands in a container is seen inside"),
    ),
    ("kubernetes", "commands_have_no_capabilities_and_get_none", Why::Node("it filters system calls")),
    ("kubernetes", "a_memory_bomb_ends_alone", Why::Node("it limits memory")),
    ("kubernetes", "memory_is_summed_over_processes", Why::Node("it limits memory")),
    ("kubernetes", "processes_are_limited", CLUSTER),
    ("kubernetes", "names_on_disk_are_limited", Why::Open("nothing that a pod may ask for limits names")),
    (
        "kubernetes",
        "a_sandbox_outlives_its_backend_handle_and_changes_threads",
        Why::NotTried("a second handle would need to know the cluster"),
    ),
    ("kubernetes", "two_hundred_sandboxes_live_at_once", Why::NotTried("a node takes minutes to start as many")),
    (
        "kubernetes",
        "sandboxes_beyond_the_limit_of_descriptors_work_like_others",
        Why::NotTried("a pod is held by no descriptor"),
    ),
    ("kubernetes", "nothing_is_left_after_drop", CLUSTER),
    ("kubernetes", "nothing_is_left_after_the_controller_is_killed", CLUSTER),
    (
        "kubernetes",
        "whatever_modes_are_left_behind_is_listed",
        Why::Open("a file below several directories that are all closed is not found"),
    ),
    (
        "kubernetes",
        "a_mount_can_be_shown_inside_another_one",
        Why::Unsupported("a runtime cannot make a mount point inside a volume that is read-only"),
    ),
];

/// What stands in the table for a fact that a backend is not asked for.
pub(crate) fn not_asked(backend: &str, fact: &str) -> Option<String> {
    let mut all = NOT_ASKED.iter();
    let (_, _, why) = all.find(|(name, known, _)| *name == backend && *known == fact)?;
    Some(match why {
        Why::Unsupported(reason) => format!("unsupported: {reason}"),
        Why::Elsewhere(suite) => format!("held, as `tests/{suite}` shows"),
        Why::Node(reason) => format!("left to the node: {reason}"),
        Why::Open(reason) => format!("not held: {reason}"),
        Why::NotTried(reason) => format!("not tried: {reason}"),
    })
}

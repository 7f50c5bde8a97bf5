"""What every process stands on: time, errors, durable files, supervised tasks, configuration, logs."""

"""Events between the processes of the centre: in-process on one machine, Redis in a department."""

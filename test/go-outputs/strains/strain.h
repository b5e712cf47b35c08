// Goes `depth` frames of a kilobyte deep in C, calls Go there, and answers what Go answers.
int strain_deep(int depth, int number);

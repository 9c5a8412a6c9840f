/** The longer half of tests/e2e/training-interrupt.test.ts: Ctrl-C in training, and training on files. */
import "../e2e/training-interrupt.test.ts";

import { Logger } from '@nestjs/common';

// Standard output is the ledger: the log lines of the drivers would get among its lines.
Logger.overrideLogger(false);

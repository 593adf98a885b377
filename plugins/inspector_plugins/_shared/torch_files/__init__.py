"""Read files of ``torch.save`` as data in an isolated process: nothing that they name is instantiated or called."""

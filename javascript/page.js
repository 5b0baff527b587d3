// What only the page can do. FiftyOne loads this file as it lies here; nothing builds it.
(() => {
  const { Operator, OperatorConfig, registerOperator, usePromptOperatorInput } = window.__foo__;
  const { selectedMediaField } = window.__fos__;
  const PLUGIN = "@reue/fiftyone-reue";
  const ORIGINAL = "filepath";

  // Which of a sample's files the grid and the open sample show is in two atoms of the page. A dataset's `app_config`
  // is read into them when another dataset is opened, and not by `reload_dataset`, so that no operator in Python can
  // switch them.
  //
  // `field` is what is shown; with `from` ("grid" or "sample") originals are, where that shows something else already.
  class ShowMedia extends Operator {
    get config() {
      return new OperatorConfig({
        name: "show_media",
        label: "Show a media field in the grid and the open sample",
        unlisted: true,
      });
    }

    async execute({ params, state }) {
      let field = params.field;
      if (params.from) {
        const shown = await state.snapshot.getPromise(selectedMediaField(params.from === "sample"));
        if (shown !== ORIGINAL) field = ORIGINAL;
      }
      state.set(selectedMediaField(false), field);
      state.set(selectedMediaField(true), field);
    }
  }

  // Opens a form from what an operator showed at its end, and closes that as the key Escape does: FiftyOne leaves it
  // open behind the form.
  class OpenForm extends Operator {
    get config() {
      return new OperatorConfig({ name: "open_form", label: "Open a form", unlisted: true });
    }

    useHooks() {
      return { prompt: usePromptOperatorInput() };
    }

    async execute({ params, hooks }) {
      const shown = document.activeElement.closest('[role="dialog"]');
      if (shown) shown.dispatchEvent(new KeyboardEvent("keydown", { key: "Escape", bubbles: true }));
      hooks.prompt(`${PLUGIN}/${params.operator}`, params.params);
    }
  }

  registerOperator(ShowMedia, PLUGIN);
  registerOperator(OpenForm, PLUGIN);
})();
